// Making nodes. Texts from elsewhere become text nodes or attributes, never markup.

// el('button', {class: 'primary', onclick: f}, 'Draw'): on… are listeners, names with "-" and a few others attributes, the rest
// properties; null and false children are left out.
const ATTRIBUTES = new Set(['class', 'for', 'role', 'list', 'form', 'href', 'download']);
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (ATTRIBUTES.has(name) || name.includes('-')) node.setAttribute(name, value);
    else node[name] = value;
  }
  return add(node, ...children);
}

// Files of tensors, and a name without their endings.
export const WEIGHTS = ['.safetensors', '.ckpt', '.pt', '.pth', '.bin'];
export const plainName = (name) => name.replace(/\.(safetensors|ckpt|pt|pth|bin)$/, '');

export function add(node, ...children) {
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

const SHAPES = {
  draw: 'M4 20l1-5L16 4l4 4L9 19l-5 1zM14 6l4 4',
  gallery: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  compare: 'M4 5h7v14H4zM13 5h7v14h-7z',
  train: 'M4 18l5-6 4 3 7-9M4 21h16',
  loras: 'M12 3l9 5-9 5-9-5 9-5zM3 12l9 5 9-5M3 16l9 5 9-5',
  experiments: 'M9 3h6M10 3v6l-6 10a1.5 1.5 0 0 0 1 2h14a1.5 1.5 0 0 0 1-2L14 9V3M7 15h10',
  queue: 'M4 6h16M4 12h16M4 18h10',
  close: 'M6 6l12 12M18 6L6 18',
  lock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3',
  unlock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 7.5-2',
  trash: 'M5 7h14M10 4h4M7 7l1 13h8l1-13',
  plus: 'M12 5v14M5 12h14',
  more: 'M5 8l7 7 7-7',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  star: 'M12 4l2.5 5.2 5.5.7-4 3.9 1 5.6-5-2.7-5 2.7 1-5.6-4-3.9 5.5-.7z',
  link: 'M9 15l6-6M10 7l2-2a4 4 0 0 1 6 6l-2 2M14 17l-2 2a4 4 0 0 1-6-6l2-2',
};
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg'), path = document.createElementNS(space, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  path.setAttribute('d', SHAPES[name]);
  svg.append(path);
  return svg;
}

// A button that shows only an icon has its name for those who cannot see it.
export const iconButton = (shape, name, onclick, props = {}) =>
  el('button', {type: 'button', class: 'quiet', 'aria-label': name, title: name, onclick, ...props}, icon(shape));

// A finger that scrolls the page past a slider does not move it: what the browser then says was no touch is taken back.
export function slider(props) {
  const node = el('input', {type: 'range', ...props});
  let before = null;
  node.addEventListener('pointerdown', (event) => { before = event.pointerType === 'touch' ? node.value : null; });
  node.addEventListener('pointercancel', () => {
    if (before === null || before === node.value) return;
    node.value = before;
    node.dispatchEvent(new Event('input', {bubbles: true}));
  });
  return node;
}

export function later(milliseconds, action) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), milliseconds);
  };
}

export function toast(text, kind = '') {
  const item = el('p', {class: 'toast ' + kind}, text);
  document.getElementById('toasts').append(item);
  setTimeout(() => item.remove(), kind === 'bad' ? 12000 : 5000);
}
export const fail = (error) => { if (error.name !== 'AbortError') toast(error.message, 'bad'); };

// "about 5 s", "under a second"
export const about = (seconds) => seconds < 1 ? duration(seconds) : `about ${duration(seconds)}`;

export function duration(seconds) {
  if (seconds < 1) return 'under a second';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let i = 0;
  while (bytes >= 1024 && i < 3) { bytes /= 1024; ++i; }
  return `${bytes < 10 && i ? bytes.toFixed(1) : Math.round(bytes)} ${units[i]}`;
}
export const gib = (value) => value < 0.1 ? size(value * 2 ** 30) : `${value.toFixed(1)} GiB`;
export function when(milliseconds) {
  const date = new Date(milliseconds), today = new Date();
  const time = date.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
  if (date.toDateString() === today.toDateString()) return time;
  return `${date.toLocaleDateString([], {day: 'numeric', month: 'short'})}, ${time}`;
}
export const plural = (count, one, many = one + 's') => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

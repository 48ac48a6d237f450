// Everything that was made. Only what is in sight is in the document, whatever the number of pictures.
import {ask} from './api.js';
import {Choice} from './choice.js';
import {el, fail, later, plural} from './dom.js';
import {on} from './events.js';
import {tile} from './live.js';
import {openPicture} from './viewer.js';

const PAGE = 120;

class Grid {
  constructor() {
    this.node = el('div', {class: 'grid', role: 'group', 'aria-label': 'Pictures'});
    this.query = '';
    this.total = 0;
    this.pages = new Map();  // number -> pictures, or the promise of them
    this.tiles = new Map();  // index -> node
    this.columns = 1;
    this.choice = new Choice(this);
    new ResizeObserver(() => this.draw()).observe(this.node);
    addEventListener('scroll', () => this.draw(), {passive: true});
  }

  async load(query) {
    this.query = query;
    this.pages.clear();
    const first = await this.page(0);
    for (const node of this.tiles.values()) node.remove();
    this.tiles.clear();
    this.draw();
    return first;
  }

  async page(number) {
    if (!this.pages.has(number)) {
      const pages = this.pages;
      pages.set(number, ask(`pictures?limit=${PAGE}&offset=${number * PAGE}${this.query}`).then((answer) => {
        this.total = answer.total;
        pages.set(number, answer.pictures);
        return answer.pictures;
      }));
    }
    return this.pages.get(number);
  }

  at(index) {
    const page = this.pages.get(Math.floor(index / PAGE));
    return Array.isArray(page) ? page[index % PAGE] : undefined;
  }

  async nameAt(index) {
    await this.page(Math.floor(index / PAGE));
    return this.at(index)?.name;
  }

  // The keyboard's place; what is out of sight is scrolled to, and so made.
  focus(index) {
    if (index < 0 || index >= this.total) return;
    const {columns, pitch} = this.measures(), top = this.node.getBoundingClientRect().top + Math.floor(index / columns) * pitch;
    if (top < 120 || top + pitch > innerHeight) scrollBy(0, top - innerHeight / 2);
    this.draw();
    this.tiles.get(index)?.focus({preventScroll: true});
  }

  redraw() { for (const node of this.tiles.values()) this.choice.mark(node, node.dataset.name); }

  // Names around a picture, as far as they are known.
  names() {
    return [...this.pages].filter(([, page]) => Array.isArray(page)).sort(([a], [b]) => a - b).flatMap(([, page]) => page.map((one) => one.name));
  }

  measures() {
    const width = this.node.clientWidth, root = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const gap = root * 0.5, columns = Math.max(2, Math.floor((width + gap) / (root * 11 + gap)));
    const side = (width - gap * (columns - 1)) / columns;
    this.columns = columns;
    return {columns, side, pitch: side + gap};
  }

  draw() {
    if (!this.node.clientWidth) return;
    const {columns, side, pitch} = this.measures(), rows = Math.ceil(this.total / columns);
    this.node.style.height = `${Math.max(0, rows * pitch)}px`;
    const top = -this.node.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / pitch) - 2), last = Math.min(rows, Math.ceil((top + innerHeight) / pitch) + 2);
    const from = first * columns, to = Math.min(this.total, last * columns);
    for (const [index, node] of this.tiles) if (index < from || index >= to) { node.remove(); this.tiles.delete(index); }
    for (let number = Math.floor(from / PAGE); number * PAGE < to; ++number)
      if (!this.pages.has(number)) this.page(number).then(() => this.draw()).catch(fail);
    for (let index = from; index < to; ++index) this.place(index, columns, side, pitch);
  }

  place(index, columns, side, pitch) {
    let node = this.tiles.get(index);
    if (!node) {
      const picture = this.at(index);
      if (!picture) return;
      node = tile(picture, (event) => (this.choice.takes(event) ? this.choice.take(event, index, picture.name).catch(fail) : openPicture(picture.name, this.names())));
      node.dataset.index = index;
      node.dataset.name = picture.name;
      this.choice.mark(node, picture.name);
      this.tiles.set(index, node);
      const after = this.tiles.get(index - 1);  // in order, for the keyboard
      if (after) after.after(node);
      else this.node.prepend(node);
    }
    node.style.width = node.style.height = `${side}px`;
    node.style.transform = `translate(${(index % columns) * pitch}px, ${Math.floor(index / columns) * pitch}px)`;
  }
}

export async function mount(root) {
  const grid = new Grid(), count = el('p', {class: 'muted', role: 'status'}), empty = el('p', {class: 'empty'});
  const text = el('input', {type: 'search', placeholder: 'Search prompts and names', 'aria-label': 'Search prompts and names'});
  const lora = el('input', {type: 'search', placeholder: 'LoRA', 'aria-label': 'Drawn with a LoRA whose name has', class: 'short'});
  const seed = el('input', {type: 'search', placeholder: 'Seed', 'aria-label': 'Seed', inputMode: 'numeric', class: 'short'});
  const rating = el('select', {'aria-label': 'Rated at least', class: 'short'}, [0, 1, 2, 3, 4, 5].map((n) => new Option(n ? `${n} or more stars` : 'Any rating', n)));
  const trash = el('input', {type: 'checkbox', id: 'in-trash'});
  const query = () => new URLSearchParams([['text', text.value], ['lora', lora.value], ['seed', seed.value.trim()], ['rating', rating.value === '0' ? '' : rating.value],
    ['trashed', trash.checked ? '1' : '']].filter(([, value]) => value)).toString();
  const load = async () => {
    const asked = query();
    if (grid.choice.trash !== trash.checked) { grid.choice.trash = trash.checked; grid.choice.end(); }
    await grid.load(asked ? '&' + asked : '');
    count.textContent = plural(grid.total, 'picture');
    empty.hidden = grid.total > 0;
    empty.textContent = trash.checked ? 'The trash is empty.' : asked ? 'No picture fits.' : 'What you draw comes here.';
  };
  const soon = later(200, () => load().catch(fail));
  for (const input of [text, lora, seed]) input.addEventListener('input', soon);
  for (const input of [rating, trash]) input.addEventListener('change', soon);
  root.append(el('div', {class: 'filters', role: 'search'}, text, lora, seed, rating,
    el('span', {class: 'check'}, trash, el('label', {for: 'in-trash'}, 'Trash')), grid.choice.button, count), grid.choice.bar, empty, grid.node);
  on('picture gallery resync', later(400, () => { if (!root.hidden) load().catch(fail); else stale = true; }));
  let stale = false;
  await load();
  return (rest) => {
    grid.draw();
    if (stale) { stale = false; load().catch(fail); }
    if (rest.length === 2) openPicture(rest.join('/'), grid.names());
  };
}

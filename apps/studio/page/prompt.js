// A prompt's text box: tokens counted while it is written, weights coloured, what the model will not see struck through.
import {asker} from './api.js';
import {el, later} from './dom.js';

const BEGIN = '<|startoftext|>', END = '<|endoftext|>';

// CLIP's vocabulary writes each byte of UTF-8 as a letter; the letters of bytes that print as themselves are those bytes.
const BYTES = (() => {
  const shown = [], map = new Map();
  for (const [from, to] of [[33, 126], [161, 172], [174, 255]]) for (let byte = from; byte <= to; ++byte) shown.push(byte);
  for (const byte of shown) map.set(String.fromCharCode(byte), byte);
  let next = 256;
  for (let byte = 0; byte < 256; ++byte) if (!shown.includes(byte)) map.set(String.fromCharCode(next++), byte);
  return map;
})();

const bytesOf = (piece) => [...piece.replace('</w>', '')].map((letter) => BYTES.get(letter) ?? 63);

// Bytes of the text in lower case, each with the place of its character.
function textBytes(text) {
  const coder = new TextEncoder(), bytes = [], places = [];
  let place = 0;
  for (const letter of text) {
    for (const byte of coder.encode(letter.toLowerCase())) { bytes.push(byte); places.push(place); }
    place += letter.length;
  }
  places.push(text.length);
  return {bytes, places};
}

function findBytes(bytes, wanted, from) {
  for (let at = from; at + wanted.length <= bytes.length; ++at)
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  return -1;
}

// Runs of the text with their weight; `cut` from where the model sees nothing any more.
export function runsOf(text, answer) {
  const {bytes, places} = textBytes(text), runs = [];
  let at = 0, count = 0;
  answer.tokenizer.pieces.forEach((row, n) => row.forEach((piece, i) => {
    if (piece === BEGIN || piece === END) return;
    ++count;
    const wanted = bytesOf(piece), found = findBytes(bytes, wanted, at);
    if (found < 0 || found > at + 200) return;
    at = found + wanted.length;
    runs.push({from: places[found], to: places[at], weight: answer.tokenizer.weights[n][i]});
  }));
  return {runs, count, cutFrom: answer.cut ? places[at] : text.length};
}

const classOf = (weight) => {
  if (weight === 1) return '';
  const strength = Math.min(3, Math.ceil(Math.abs(weight - 1) / 0.25));
  return (weight > 1 ? 'up-' : 'down-') + strength;
};

function paint(backdrop, text, {runs, cutFrom}) {
  const nodes = [];
  let at = 0;
  for (const run of runs) {
    if (run.from >= cutFrom) break;
    nodes.push(text.slice(at, run.from), el('span', {class: classOf(run.weight)}, text.slice(run.from, run.to)));
    at = run.to;
  }
  nodes.push(text.slice(at, cutFrom), el('s', {}, text.slice(cutFrom)), '\n');
  backdrop.replaceChildren(...nodes);
}

// model(): the form's model. Returns a field of a Form.
export function promptField(name, title, {rows, placeholder, changed, model, extra}) {
  const backdrop = el('div', {class: 'backdrop', 'aria-hidden': 'true'});
  const box = el('textarea', {rows, placeholder, id: 'box-' + name, spellcheck: false, name});
  const tokens = el('span', {class: 'tokens', id: `tokens-${name}`});
  const cut = el('small', {class: 'wrong'}), question = asker();
  box.setAttribute('aria-describedby', tokens.id);
  const fit = () => {
    box.style.height = 'auto';
    box.style.height = `${box.scrollHeight + 2}px`;
    backdrop.scrollTop = box.scrollTop;
  };
  const count = async () => {
    const text = box.value;
    if (!text.trim()) {
      tokens.textContent = cut.textContent = '';
      return backdrop.replaceChildren();
    }
    try {
      const {result} = await question('ask/tokens', {prompt: text, ...(model() ? {model: model()} : {}), ...(extra?.() ?? {})});
      if (text !== box.value) return;
      const read = runsOf(text, result), room = result.tokenizer.ids.length * 77 - 2;
      tokens.textContent = result.cut ? `over ${room} tokens` : `${read.count} of ${room} tokens`;
      tokens.classList.toggle('full', Boolean(result.cut));
      cut.textContent = result.cut ? 'The model does not see what is struck through.' : '';
      paint(backdrop, text, read);
    } catch (error) {
      if (error.name !== 'AbortError') tokens.textContent = '';
    }
  };
  const soon = later(200, count);
  box.addEventListener('input', () => { backdrop.replaceChildren(); fit(); soon(); changed(); });
  box.addEventListener('scroll', () => { backdrop.scrollTop = box.scrollTop; });
  new ResizeObserver(fit).observe(box.ownerDocument.body);
  const node = el('div', {class: 'field prompt', 'data-name': name},
    el('div', {class: 'line'}, el('label', {for: box.id}, title), tokens), el('div', {class: 'layers'}, backdrop, box), cut);
  const set = (value) => { box.value = value ?? ''; fit(); count(); };
  return {node, wrong: cut, input: box, count, fit, get: () => box.value === '' ? undefined : box.value, set,
    append: (word) => set(box.value.trim() ? `${box.value.trimEnd()}, ${word}` : word)};
}

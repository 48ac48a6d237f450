// Several pictures of the gallery at once: into the trash and back, or into a set to train on. Chosen by tapping in a mode of its own;
// with Ctrl or Shift it begins by itself, as by holding a finger on a picture.
import {imageUrl, picturePath, send, upload} from './api.js';
import {add, el, fail, iconButton, plural, toast} from './dom.js';
import {hear} from './events.js';

const HOLD_MS = 500, SLOP_PX = 10;

export class Choice {
  // grid: {node, nameAt(index) -> promise of a name, redraw()}
  constructor(grid) {
    this.grid = grid;
    this.names = new Set();
    this.on = false;
    this.last = 0;  // where a range begins
    this.button = el('button', {type: 'button', 'aria-pressed': 'false', onclick: () => (this.on ? this.end() : this.begin())}, 'Select');
    this.text = el('span', {role: 'status', class: 'grow'});
    this.actions = el('span', {class: 'actions'});
    this.bar = add(el('div', {class: 'choice', role: 'group', 'aria-label': 'Selected pictures', hidden: true}), this.text, this.actions,
      iconButton('close', 'End the selection', () => this.end()));
    this.trash = false;
    this.listen();
  }

  begin() { this.on = true; this.show(); }
  end() { this.on = false; this.names.clear(); this.show(); }
  clear() { this.names.clear(); this.show(); }

  // A click on a tile: whether it was a choice.
  async take(event, index, name) {
    if (this.held) { this.held = false; return; }  // the finger that chose it is lifted
    if (event.shiftKey) return this.range(index);
    this.last = index;
    if (!this.names.delete(name)) this.names.add(name);
    this.show();
  }
  takes(event) { return this.on || event.ctrlKey || event.metaKey || event.shiftKey || this.held; }

  async range(to) {
    const [from, end] = this.last < to ? [this.last, to] : [to, this.last];
    for (let index = from; index <= end; ++index) this.names.add(await this.grid.nameAt(index));
    this.show();
  }

  mark(node, name) {
    node.classList.toggle('chosen', this.names.has(name));
    if (this.on) node.setAttribute('aria-pressed', String(this.names.has(name)));
    else node.removeAttribute('aria-pressed');
  }

  show(text) {
    if (this.names.size) this.on = true;
    this.button.setAttribute('aria-pressed', String(this.on));
    this.button.textContent = this.on ? 'Done' : 'Select';
    this.bar.hidden = !this.on;
    this.text.textContent = text ?? (this.names.size ? `${plural(this.names.size, 'picture')} selected` : 'Choose pictures; Shift takes all between.');
    const button = (title, onclick, props = {}) => el('button', {type: 'button', disabled: !this.names.size, onclick, ...props}, title);
    const move = (what) => () => this.move(what, [...this.names]).catch(fail);
    this.actions.replaceChildren(...(this.trash ? [button('Restore', move('restore'))] :
      [button('Into a set …', () => this.askSet()), button('To the trash', move('trash'), {class: 'danger to-trash'})]));
    this.grid.redraw();
  }

  async move(what, names) {
    const done = [];
    try {
      for (const name of names) {
        this.text.textContent = `${done.length + 1} of ${names.length} …`;
        await send(`${picturePath(name)}/${what}`);
        done.push(name);
      }
    } finally {
      this.names.clear();
      this.show(what === 'trash' ? `${plural(done.length, 'picture')} in the trash.` : `${plural(done.length, 'picture')} restored.`);
      if (done.length) this.actions.prepend(el('button', {type: 'button', onclick: () => this.move(what === 'trash' ? 'restore' : 'trash', done).catch(fail)}, 'Undo'));
      hear('gallery', {});
    }
  }

  askSet() {
    const name = el('input', {value: 'rejects', 'aria-label': 'Name of the set to train on', maxLength: 100, autocomplete: 'off'});
    this.actions.replaceChildren(el('form', {class: 'line', onsubmit: (event) => {
      event.preventDefault();
      if (name.value.trim()) this.intoSet(name.value.trim()).catch(fail);
    }}, name, el('button', {type: 'submit'}, 'Put them there')));
    name.select();
  }

  async intoSet(set) {
    const names = [...this.names];
    for (const [i, name] of names.entries()) {
      this.text.textContent = `${i + 1} of ${names.length} …`;
      await upload(`sets/${encodeURIComponent(set)}?name=${encodeURIComponent(name.replaceAll('/', '-'))}`, await (await fetch(imageUrl(name))).blob());
    }
    this.end();
    toast(`${plural(names.length, 'picture')} in the set ${set}: it is in Train, and in Experiments.`);
  }

  listen() {
    const node = this.grid.node;
    let timer = 0, from = null;
    const stop = () => { clearTimeout(timer); from = null; };
    node.addEventListener('pointerdown', (event) => {
      const tile = event.target.closest('.tile');
      this.held = false;
      if (event.pointerType !== 'touch' || !tile) return;
      from = event;
      timer = setTimeout(() => { this.held = true; this.last = Number(tile.dataset.index); this.names.add(tile.dataset.name); this.show(); }, HOLD_MS);
    });
    node.addEventListener('pointermove', (event) => { if (from && Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) > SLOP_PX) stop(); });
    for (const type of ['pointerup', 'pointercancel']) node.addEventListener(type, stop);
    node.addEventListener('contextmenu', (event) => { if (this.held || from) event.preventDefault(); });
    node.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.on) this.end();
      if (event.key === 'Delete' && this.names.size && !this.trash) this.move('trash', [...this.names]).catch(fail);
      const index = Number(event.target.closest('.tile')?.dataset.index), by = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.grid.columns, ArrowUp: -this.grid.columns}[event.key];
      if (!by || Number.isNaN(index)) return;
      event.preventDefault();
      if (event.shiftKey) { this.on = true; this.range(Math.max(0, index + by)).catch(fail); }
      this.grid.focus(index + by);
    });
  }
}

// Draw: one box and a button; everything else behind one tap.
import {asker} from './api.js';
import {draftKeeper, fillFromDraft} from './drafts.js';
import {about, add, el, fail, gib, icon, iconButton, later, plural} from './dom.js';
import {takeDrops} from './drops.js';
import {on} from './events.js';
import {Form} from './forms.js';
import {mountLive} from './live.js';
import {promptField} from './prompt.js';
import {cancel, openJobs, settingsOf, store, submit} from './store.js';
import {mountWelcome} from './welcome.js';

const SHORT = ['model', 'lora', 'steps', 'cfg_scale', 'sampler'];
const HIDDEN = ['prompt', 'negative_prompt', 'show', 'from', 'seed', 'width', 'height', 'save_tensors'];
const SHAPES = [['Square', 1, 1], ['Portrait', 3, 4], ['Tall', 9, 16], ['Landscape', 4, 3], ['Wide', 16, 9]];
const PREVIEW_EVERY = 2;

// Free: each drawing has a noise of its own. Locked: the same again.
function seedField(changed) {
  const box = el('input', {type: 'text', inputMode: 'numeric', pattern: '[0-9]*', id: 'seed', placeholder: 'any', autocomplete: 'off'});
  const wrong = el('small', {class: 'wrong'});
  const lock = iconButton('unlock', 'Seed: free', () => {
    if (box.value) box.value = '';
    else box.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
    show();
    changed();
  });
  const show = () => {
    lock.replaceChildren(icon(box.value ? 'lock' : 'unlock'));
    lock.setAttribute('aria-label', box.value ? 'Seed: locked; set it free' : 'Seed: free; lock one');
    lock.title = box.value ? 'Locked: the same noise again' : 'Free: a new noise each time';
  };
  box.addEventListener('input', () => { show(); changed(); });
  show();
  const node = el('div', {class: 'field', 'data-name': 'seed'}, el('label', {for: 'seed'}, 'Seed'), el('div', {class: 'control'}, box, lock), wrong);
  return {node, wrong, input: box, get: () => box.value || undefined, set: (value) => { box.value = value ?? ''; show(); }};
}

// Width and height, and shapes of about the model's own number of pixels.
function sizeField(settings, side, changed) {
  const box = (name) => el('input', {type: 'number', min: settings[name].minimum, max: settings[name].maximum, step: 8, 'aria-label': name === 'width' ? 'Width' : 'Height'});
  const width = box('width'), height = box('height'), wrong = el('small', {class: 'wrong'});
  const shapes = el('div', {class: 'chips', role: 'group', 'aria-label': 'Shape'}, SHAPES.map(([title, x, y]) =>
    el('button', {type: 'button', class: 'chip', onclick: () => {
      const scale = side() / Math.sqrt(x * y), whole = (n) => Math.max(8, Math.round(n * scale / 64) * 64 || Math.round(n * scale / 8) * 8);
      width.value = x === y ? '' : whole(x);
      height.value = x === y ? '' : whole(y);
      changed();
    }}, title)));
  const hint = () => { width.placeholder = height.placeholder = String(side()); };
  for (const input of [width, height]) input.addEventListener('input', changed);
  const node = el('div', {class: 'field', 'data-name': 'size'}, el('span', {class: 'label'}, 'Size'), shapes,
    el('div', {class: 'control pair'}, width, el('span', {}, '×'), height), wrong);
  const of = (input) => ({input, wrong, get: () => input.value ? Number(input.value) : undefined, set: (value) => { input.value = value ?? ''; }});
  return {node, hint, width: {...of(width), node}, height: of(height)};
}

// What it will take, said before.
function mountForecast(node, form) {
  const question = asker();
  const tell = (text, kind) => { node.textContent = text; node.className = 'forecast ' + kind; };
  return later(600, async () => {
    const values = form.values();
    if (!values.prompt || !form.isValid()) return tell('', '');
    try {
      const {result} = await question('forecast/generate', values);
      form.side = Math.round(Math.sqrt(result.width * result.height));
      const waiting = openJobs().filter((job) => job.verb === 'generate').length;
      const memory = `${gib(result.peak_gib)} of ${gib(result.available_gib)} memory`;
      if (!result.fits) return tell(`Does not fit: needs ${memory}. Try a smaller picture, or weights kept as int8.`, 'bad');
      tell(`${plural(result.pictures, 'picture')}, ${about(result.seconds)}, ${memory}${waiting ? `, after ${plural(waiting, 'other job')}` : ''}`,
        result.seconds > 120 ? 'slow' : '');
    } catch (error) {
      if (error.name !== 'AbortError' && !form.mark(error)) tell(error.message, 'bad');
    }
  });
}

function formParts() {
  const settings = settingsOf('generate');
  let form = null;
  const listeners = [];
  const changed = () => listeners.forEach((listener) => listener());
  form = new Form(settings, HIDDEN, changed);
  form.side = 64;
  const model = () => form.fields.get('model').get();
  const extra = () => ({weighting: form.fields.get('weighting').get()});
  form.put('prompt', promptField('prompt', 'Prompt', {rows: 3, placeholder: 'What to draw', changed, model, extra}));
  form.put('negative_prompt', promptField('negative_prompt', 'Negative prompt', {rows: 1, placeholder: 'What to avoid', changed, model, extra}));
  const size = sizeField(settings, () => form.side, changed);
  form.put('width', size.width);
  form.put('height', size.height);
  form.put('seed', seedField(changed));
  form.fields.get('lora').onTrigger = (word, negative) => {
    form.fields.get(negative ? 'negative_prompt' : 'prompt').append(word);
    changed();
  };
  return {form, size, listeners};
}

export function mount(root) {
  const {form, size, listeners} = formParts();
  const forecast = el('p', {class: 'forecast', id: 'forecast'});
  const wrong = el('p', {class: 'wrong', role: 'alert'});
  const tellForecast = mountForecast(forecast, form), keep = draftKeeper('generate', true);
  const drawButton = el('button', {type: 'submit', class: 'primary', 'aria-describedby': 'forecast'}, 'Draw');
  const stop = el('button', {type: 'button', hidden: true, onclick: () =>
    openJobs().filter((job) => job.verb === 'generate').forEach((job) => cancel(job.id).catch(fail))}, 'Stop');
  const update = () => { keep(form.values()); tellForecast(); };
  listeners.push(update);
  const take = (settings) => { keep.begin(); form.set(settings); update(); location.hash = '#/draw'; };
  const drops = takeDrops(root, take);
  const shown = [...SHORT, ...HIDDEN, 'batch_count'];
  const node = el('form', {class: 'draw-form', 'aria-label': 'What to draw', noValidate: true});
  add(node, el('div', {class: 'panel first'}, form.node('prompt'), form.node('negative_prompt'),
    el('div', {class: 'go'}, drawButton, form.node('batch_count'), stop), forecast, wrong, drops.told), el('div', {class: 'panel rest'}, form.node('model'), form.node('lora'), size.node,
    el('div', {class: 'two'}, form.node('steps'), form.node('cfg_scale'), form.node('sampler'), form.node('seed')),
    el('details', {}, el('summary', {}, 'All settings'), ...form.rest(shown)), el('div', {class: 'line'}, drops.picker, drops.button,
      el('button', {type: 'button', class: 'quiet', onclick: () => { keep.begin(); form.set({}); update(); }}, 'Back to the defaults'))));
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    form.clearMarks();
    if (!form.isValid()) { const input = form.firstInvalid(); input.closest('details')?.setAttribute('open', ''); return input.reportValidity(); }
    try {
      await submit('generate', {prompt: '', ...form.values()}, PREVIEW_EVERY);
    } catch (error) {
      if (!form.mark(error)) wrong.textContent = error.message;
    }
  });
  node.addEventListener('keydown', (event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) node.requestSubmit(); });
  const live = el('div', {class: 'stage'});
  root.append(el('div', {class: 'draw'}, node, live));
  on('take:generate', take);
  let waiting = 0;
  on('changed:jobs', () => {
    const now = openJobs().filter((job) => job.verb === 'generate').length;
    stop.hidden = now === 0;
    if (now !== waiting) tellForecast();
    waiting = now;
  });
  on('changed:files', () => { form.fill(); form.fields.get('prompt').count(); });
  size.hint();
  stop.hidden = !openJobs().some((job) => job.verb === 'generate');
  mountWelcome(live, take, form).catch(fail);
  mountLive(live).catch(fail);
  fillFromDraft('generate', form, keep).catch(fail).then(tellForecast);
  return () => {
    for (const name of ['prompt', 'negative_prompt']) form.fields.get(name).fit();
    if (innerWidth > 1000 && document.activeElement === document.body) form.fields.get('prompt').input.focus({preventScroll: true});
  };
}

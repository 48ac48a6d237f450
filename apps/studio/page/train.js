// Train: a set of pictures, what they are called, and how long it will take before it begins.
import {ask, asker} from './api.js';
import {draftKeeper, keptDraft} from './drafts.js';
import {about, add, el, fail, gib, later, toast} from './dom.js';
import {Form} from './forms.js';
import {mountRuns} from './runs.js';
import {mountSet} from './dataset.js';
import {settingsOf, submit} from './store.js';

const SHORT = ['prompt', 'captions', 'name', 'vectors', 'steps', 'rank', 'learning_rate', 'batch_size', 'validation_prompt', 'model'];
const HIDDEN = ['data', 'out', 'save_trace'];

// The miniature learns a subject or a style with these; 1e-4, which suits SDXL, leaves it as it was.
const TOY = {learning_rate: 0.001, batch_size: 4};

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function setChooser(onset) {
  const name = el('input', {type: 'text', list: 'set-names', placeholder: 'a name, as my-cat', id: 'set-name', autocomplete: 'off', maxLength: 100});
  const names = el('datalist', {id: 'set-names'});
  let shown = '', taken = [];
  const load = async () => {
    const sets = await ask('sets');
    taken = sets.map((set) => set.name);
    names.replaceChildren(...sets.map((set) => new Option(`${set.pictures} pictures`, set.name)));
    if (!name.value && sets.length) name.value = shown = sets[0].name;
  };
  name.addEventListener('change', () => {
    if (name.value.trim() === shown) return;  // leaving the box is no change
    shown = name.value.trim();
    onset(shown).catch(fail);
  });
  const node = el('div', {class: 'field'}, el('label', {for: 'set-name'}, 'Set of pictures'), name, names,
    el('small', {}, 'Choose one that is there, or give a new name and drop pictures.'));
  return {node, load, get: () => name.value.trim(), set: (value) => { name.value = shown = value; },
    make: () => {
      let i = 1;
      while (taken.includes(`set-${i}`)) ++i;
      return name.value = shown = `set-${i}`;
    }};
}

function mountForecast(node, verb, {options, missing}, form) {
  const question = asker();
  const tell = (text, kind = '') => { node.textContent = text; node.className = 'forecast ' + kind; };
  return later(600, async () => {
    const values = options();
    if (!values) return tell(missing());
    try {
      const {result} = await question(`forecast/${verb().replaceAll(' ', '-')}`, values);
      const memory = `${gib(result.peak_gib)} of ${gib(result.available_gib)} memory`;
      if (!result.fits) return tell(`Does not fit: needs ${memory}. ${(result.would_help ?? []).map((line) => `Would help: ${line}`).join('; ')}`, 'bad');
      tell(sentence(`${about(result.seconds)}, ${memory}`), result.seconds > 3600 ? 'slow' : '');
    } catch (error) {
      if (error.name !== 'AbortError' && !form().mark(error)) tell(error.message, 'bad');
    }
  });
}

export async function mount(root) {
  let verb = 'train lora', form = null, listening = false;
  const host = el('div', {class: 'host'}), forecast = el('p', {class: 'forecast', id: 'train-forecast'}), wrong = el('p', {class: 'wrong', role: 'alert'});
  const name = el('input', {type: 'text', id: 'train-name', placeholder: 'chosen for you', maxLength: 80, autocomplete: 'off'});
  const keep = draftKeeper('train');
  let captioned = '';  // the set whose captions were taken
  const set = mountSet(() => listening && takeCaptions(), () => chooser.make());
  const chooser = setChooser((value) => set.show(value).then(() => update()));
  // Pictures that all have captions are trained on these, unless a prompt for all of them stands there.
  const takeCaptions = () => {
    const pictures = set.pictures(), field = form.fields.get('captions');
    if (field && captioned !== chooser.get() && pictures.length && pictures.every((picture) => picture.caption) && !form.values().prompt) {
      captioned = chooser.get();
      field.set(true);
      const look = form.fields.get('validation_prompt');  // what is drawn along the way
      if (!look.get()) look.set(pictures[0].caption);
    }
    update();
  };
  const missing = () => (set.pictures().length ? 'Write a prompt for all pictures, or take their captions.' : '');
  const ready = () => set.pictures().length && form.isValid() && (form.values().prompt || form.values().captions || verb === 'train embedding');
  const options = () => ({...form.values(), data: `files/sets/${chooser.get()}`, ...(name.value.trim() ? {out: `${name.value.trim()}.safetensors`} : {})});
  const tell = mountForecast(forecast, () => verb, {options: () => ready() ? options() : null, missing}, () => form);
  const update = () => {
    wrong.textContent = '';
    keep({verb, set: chooser.get(), out: name.value, values: form.values()});
    tell();
  };
  const build = (values) => {
    form = new Form(settingsOf(verb), HIDDEN, update);
    form.set(values);
    const short = SHORT.filter((one) => form.node(one));
    host.replaceChildren(...short.slice(0, 2).map((one) => form.node(one)),
      el('div', {class: 'two'}, ...short.slice(2).map((one) => form.node(one))), el('details', {}, el('summary', {}, 'All settings'), ...form.rest(short)));
  };
  const kinds = el('select', {id: 'train-kind', onchange: () => { verb = kinds.value; build({}); update(); }},
    new Option('A LoRA', 'train lora'), new Option('A word (embedding)', 'train embedding'));
  const presets = el('div', {class: 'chips', role: 'group', 'aria-label': 'Presets'}, (await ask('presets')).map(({title, help, settings}) =>
    el('button', {type: 'button', class: 'chip', title: help, onclick: () => {
      const {prompt, captions, validation_prompt, model} = form.values();
      const toy = !model && verb === 'train lora' && !settings.learning_rate;
      form.set({prompt, captions, validation_prompt, model, ...settings, ...(toy ? TOY : {})});
      toast(`${sentence(help)}.${toy ? ' For the toy model with a learning rate of 0.001 and batches of 4.' : ''}`);
      update();
    }}, title)));
  const node = el('form', {class: 'panel', 'aria-label': 'What to train', noValidate: true});
  add(node, el('div', {class: 'two'}, el('div', {class: 'field'}, el('label', {for: 'train-kind'}, 'What to learn'), kinds),
    el('div', {class: 'field'}, el('label', {for: 'train-name'}, 'Name of the file'), name)), chooser.node, presets, host,
  forecast, wrong, el('button', {type: 'submit', class: 'primary', 'aria-describedby': 'train-forecast'}, 'Start training'));
  name.addEventListener('input', update);
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    form.clearMarks();
    if (!set.pictures().length) { wrong.textContent = 'Drop pictures first, or choose a set that has some.'; return; }
    if (!form.isValid()) return form.firstInvalid().reportValidity();
    try {
      await submit(verb, options(), 1);
    } catch (error) {
      if (!form.mark(error)) wrong.textContent = error.message;
    }
  });
  const draft = await keptDraft('train');
  verb = draft.verb ?? verb;
  kinds.value = verb;
  name.value = draft.out ?? '';
  build(draft.values ?? {});
  await chooser.load();
  if (draft.set) chooser.set(draft.set);
  root.append(el('div', {class: 'train'}, node, el('div', {class: 'stage'}, mountRuns().node, set.node)));
  if (chooser.get()) await set.show(chooser.get());
  listening = true;
  tell();
}

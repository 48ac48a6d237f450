// Forms made from a verb's settings (name, default, range, unit, help): a new option appears by itself.
import {add, el, slider} from './dom.js';
import {loraField} from './lora_field.js';
import {store} from './store.js';

const NAMES = {
  cfg_scale: 'Guidance', batch_count: 'Pictures', lora: 'LoRAs', vae: 'VAE', rng: 'Random stream', dtype: 'Number format',
  weights_dtype: 'Weights kept as', zero_snr: 'Zero terminal SNR', snr_gamma: 'Min-SNR gamma', lr_scheduler: 'Learning rate course',
  lr_warmup: 'Warm-up', max_grad_norm: 'Longest gradient', from: 'Settings of a picture', unet: 'UNet', isa: 'CPU instructions',
  texts: 'Prompts to draw', prompts: 'How many of the stock prompts',
};
// Where a slider is handy: what people mostly want, of a range that is wider.
const USUAL = {steps: [1, 100, 1], cfg_scale: [0, 20, 0.5], guidance_rescale: [0, 1, 0.05], refiner_start: [0, 1, 0.05],
  rank: [1, 128, 1]};
const FILES = {model: 'models', refiner: 'models', vae: 'vaes', unet: 'unets'};
const GROUPS = [
  ['Prompt', /^(prompt_2|negative_prompt_2|weighting|pooled|embedding)$/],
  ['Guidance', /^(guidance_|negative_scale|negative_interval)/],
  ['Sampling', /^(schedule|rng|prediction_type|zero_snr|sampler)$/],
  ['Refiner', /^refiner/],
  ['What the model is told of sizes', /(_size|crop_top_left|aesthetic_score)$/],
  ['Learning', /^(learning_rate|lr_|optimizer|weight_decay|max_grad|gradient_acc|batch_size|text_encoder|snr_gamma|noise_offset|seed|flip)/],
  ['LoRA', /^(rank|alpha|targets|format)$/],
  ['Class pictures', /^(class_|prior_)/],
  ['Along the way', /^(valid|checkpoint_|resume|save_trace)/],
  ['Machine', /^(device|dtype|weights_dtype|threads|isa|vae|force|gradient_checkpointing)$/],
];

export const nameOf = (name) =>
  NAMES[name] ?? (name[0].toUpperCase() + name.slice(1)).replaceAll('_', ' ').replace(' 2', ' (second encoder)');

// "default: the model's training size (px)" -> "the model's training size"
const told = (setting) => {
  const text = /default: ([^;(]+)/.exec(setting.description)?.[1].trim() ?? '';
  return text.includes('scheduler_config') ? "the model's own" : text;
};

const value_of = (text, setting) => {
  if (text === '' || text === undefined) return undefined;
  if (setting.type !== 'integer' && setting.type !== 'number') return text;
  const number = Number(text);
  return Number.isSafeInteger(number) || !Number.isInteger(number) ? number : text;  // seeds go beyond 2^53
};

let count = 0;
const freshId = (name) => `field-${name}-${++count}`;

// label, control and help in the order in which they are read.
function labelled(name, setting, input, extra = []) {
  input.id = freshId(name);
  const help = el('small', {id: input.id + '-help', class: 'help'}, setting.description);
  const wrong = el('small', {id: input.id + '-wrong', class: 'wrong'});
  input.setAttribute('aria-describedby', `${wrong.id} ${help.id}`);
  const node = el('div', {class: 'field', 'data-name': name}, el('label', {for: input.id}, nameOf(name)),
    el('div', {class: 'control'}, ...extra, input), wrong, help);
  return {node, input, wrong};
}

function numberField(name, setting, changed) {
  const whole = setting.type === 'integer', big = whole && setting.maximum > Number.MAX_SAFE_INTEGER;
  const input = big ? el('input', {type: 'text', inputMode: 'numeric', pattern: '[0-9]*', autocomplete: 'off'}) :
    el('input', {type: 'number', min: setting.minimum ?? '', max: setting.maximum ?? '', step: whole ? 1 : 'any'});
  const wanted = USUAL[name], fits = wanted && !(setting.default > wanted[1]);  // a training has more steps than a drawing
  const usual = fits || !wanted ? wanted : [wanted[0], 4 * setting.default, wanted[2]], range = usual && slider({min: usual[0], max: usual[1], step: usual[2],
    tabIndex: -1, 'aria-hidden': 'true'});
  input.placeholder = setting.default !== undefined ? '' : range && told(setting).length > 5 ? 'auto' : told(setting);  // beside a slider there is room for a word
  const show = (value) => {
    input.value = value ?? '';
    if (range) range.value = value ?? usual[0];
  };
  show(setting.default);
  input.addEventListener('input', () => { if (range) range.value = input.value; changed(); });
  range?.addEventListener('input', () => { input.value = range.value; changed(); });
  const made = labelled(name, setting, input, range ? [range] : []);
  if (range) made.node.classList.add('with-slider');
  return {...made, get: () => value_of(input.value.trim(), setting), set: (value) => show(value ?? setting.default)};
}

function choiceField(name, setting, changed) {
  const select = el('select', {onchange: changed});
  if (setting.default === undefined) select.append(new Option(told(setting) || 'not set', ''));
  for (const value of setting.enum) select.append(new Option(value.replaceAll('_', ' '), value));
  const show = (value) => { select.value = value ?? setting.default ?? ''; };
  show();
  return {...labelled(name, setting, select), get: () => select.value || undefined, set: show};
}

// Of what lies in the studio's folders; the plain name where it is the only one.
function fileField(name, setting, changed) {
  const select = el('select', {onchange: changed}), none = name === 'model' ? 'emoji-xl (bundled toy model)' : told(setting) || 'none';
  let wanted = '';
  const fill = () => {
    const options = store[FILES[name]].filter((item) => !(name === 'model' && item.reference === 'bundled/emoji-xl'))
      .map((item) => new Option(item.fault ? `${item.name} (cannot be used)` : item.name, item.reference));
    select.replaceChildren(new Option(none, ''), ...options);
    if (wanted && !options.some((option) => option.value === wanted)) select.append(new Option(wanted, wanted));
    select.value = wanted;
  };
  select.addEventListener('change', () => { wanted = select.value; });
  fill();
  return {...labelled(name, setting, select), get: () => select.value || undefined, fill, set: (value) => {
    const known = store[FILES[name]].find((item) => item.reference === value || item.name === value);
    wanted = known && known.reference !== 'bundled/emoji-xl' ? known.reference : known ? '' : value ?? '';
    fill();
  }};
}

function switchField(name, setting, changed) {
  const input = el('input', {type: 'checkbox', onchange: changed});
  const made = labelled(name, setting, input);
  made.node.classList.add('switch');
  const show = (value) => { input.checked = value ?? setting.default ?? false; };
  show();
  return {...made, get: () => input.checked, set: show};
}

function textField(name, setting, changed) {
  const list = setting.type === 'array';
  const input = el('input', {type: 'text', oninput: changed, placeholder: setting.default === undefined ? told(setting) : ''});
  const show = (value) => { input.value = (list ? (value ?? []).join(', ') : value ?? setting.default) ?? ''; };
  show();
  const get = () => {
    if (list) return input.value.split(',').map((part) => part.trim()).filter(Boolean);
    return input.value === '' ? undefined : input.value;
  };
  return {...labelled(name, setting, input), get, set: show};
}

function areaField(name, setting, changed) {
  const box = el('textarea', {rows: 3, oninput: changed, placeholder: told(setting)});
  return {...labelled(name, setting, box), get: () => box.value.trim() || undefined, set: (value) => { box.value = value ?? ''; }};
}

function fieldFor(name, setting, changed) {
  if (name === 'texts') return areaField(name, setting, changed);
  if (name === 'lora' || name === 'loras') return loraField(name, setting, changed);
  if (FILES[name]) return fileField(name, setting, changed);
  if (setting.enum) return choiceField(name, setting, changed);
  if (setting.type === 'boolean') return switchField(name, setting, changed);
  if (setting.type === 'integer' || setting.type === 'number') return numberField(name, setting, changed);
  return textField(name, setting, changed);
}

const same = (a, b) => Array.isArray(a) ? a.length === 0 && !b?.length || JSON.stringify(a) === JSON.stringify(b) : a === b;

export class Form {
  // settings: of the verb; hidden: names that the view shows in its own way; changed(): after each change by a person.
  constructor(settings, hidden, changed) {
    this.settings = settings;
    this.changed = changed;
    this.fields = new Map();
    for (const [name, setting] of Object.entries(settings))
      if (!hidden.includes(name)) this.fields.set(name, fieldFor(name, setting, () => { this.clearMarks(); changed(); }));
  }

  // A field of the view's own making: {get, set}, with node and wrong where it has them.
  put(name, field) { this.fields.set(name, field); }
  node(name) { return this.fields.get(name)?.node; }

  // What is not shown elsewhere, in groups; those that nobody named come last.
  rest(shown) {
    const left = [...this.fields].filter(([name, field]) => !shown.includes(name) && field.node && this.settings[name]);
    const take = (fits) => left.filter(([name]) => fits(name)).map(([, field]) => field.node);
    const named = (name) => GROUPS.some(([, pattern]) => pattern.test(name));
    const groups = GROUPS.map(([title, pattern], i) =>
      [title, take((name) => pattern.test(name) && GROUPS.findIndex(([, one]) => one.test(name)) === i)]);
    groups.push(['More', take((name) => !named(name))]);
    return groups.filter(([, nodes]) => nodes.length).map(([title, nodes]) =>
      add(el('fieldset', {}, el('legend', {}, title)), ...nodes));
  }

  // Only what differs from the default: what is not said follows the model.
  values() {
    const values = {};
    for (const [name, field] of this.fields) {
      const value = field.get();
      if (value !== undefined && !same(value, this.settings[name]?.default)) values[name] = value;
    }
    return values;
  }

  // Names that the form does not have are left out; what is not named goes back to its default.
  set(values) { for (const [name, field] of this.fields) field.set(values[name]); }

  fill() { for (const field of this.fields.values()) field.fill?.(); }
  isValid() { return [...this.fields.values()].every((field) => !field.input || field.input.checkValidity()); }
  firstInvalid() { return [...this.fields.values()].find((field) => field.input && !field.input.checkValidity())?.input; }

  clearMarks() {
    for (const field of this.fields.values()) {
      field.node?.classList.remove('is-wrong');
      if (field.wrong) field.wrong.textContent = '';
    }
  }
  // Shows an error at its setting; false: the form does not have it.
  mark(error) {
    const field = this.fields.get(error.field);
    if (!field?.wrong) return false;
    field.wrong.textContent = error.message.replace(/^\[[^\]]*\] /, '');
    field.node.classList.add('is-wrong');
    field.node.closest('details')?.setAttribute('open', '');
    field.input?.focus();
    return true;
  }
}

// Compare: arms and axes on the same noise, beside the column that has none.
import {ask, asker, imageUrl} from './api.js';
import {draftKeeper, fillFromDraft} from './drafts.js';
import {about, add, el, fail, gib, icon, iconButton, later, plural, toast} from './dom.js';
import {on} from './events.js';
import {Form, nameOf} from './forms.js';
import {promptField} from './prompt.js';
import {progressText} from './queue.js';
import {mountScores} from './scores.js';
import {cancel, isOpen, newestJobs, settingsOf, submit} from './store.js';
import {openPicture} from './viewer.js';

const ARMS = [
  ['nothing', 'as it is'], ['word', 'the word in the negative prompt'], ['article', 'LoRA and word, on both branches'],
  ['neg-branch', 'LoRA on the negative branch alone'], ['lora-only', 'LoRA without the word'], ['minus', 'LoRA with its weight turned around'],
  ['apart', 'the negative prompt in a row of its own'], ['autoguidance', 'the LoRA as the bad model that guidance leads away from'],
];
const PLAIN = ['nothing', 'word'], ARTICLE = ['nothing', 'word', 'article', 'neg-branch'];
const SHORT = ['model', 'lora', 'negative_word', 'seeds', 'steps', 'cfg_scale'];
const HIDDEN = ['prompt', 'negative_prompt', 'arms', 'axis', 'show', 'out', 'prompts'];
const NO_AXIS = ['arms', 'axis', 'seeds', 'negative_word', 'model', 'refiner', 'vae', 'unet', 'lora', 'embedding', 'show', 'seed', 'device', 'threads', 'isa', 'out', 'prompts'];

function armsField(changed) {
  const boxes = ARMS.map(([name, help]) => [name, el('input', {type: 'checkbox', id: 'arm-' + name, onchange: changed}), help]);
  const set = (text) => { const names = (text ?? '').split(','); for (const [name, box] of boxes) box.checked = names.includes(name); };
  const chip = (title, names) => el('button', {type: 'button', class: 'chip', onclick: () => { set(names.join(',')); changed(); }}, title);
  const wrong = el('small', {class: 'wrong'});
  const node = el('fieldset', {class: 'field'}, el('legend', {class: 'label'}, 'Arms'),
    el('div', {class: 'chips'}, chip('The article\'s', ARTICLE), chip('Only the word', PLAIN), chip('All', ARMS.map(([name]) => name))),
    el('div', {class: 'arms'}, boxes.map(([name, box, help]) => el('span', {class: 'check'}, box, el('label', {for: box.id}, name, el('small', {}, help))))), wrong);
  return {node, wrong, set, get: () => boxes.filter(([, box]) => box.checked).map(([name]) => name).join(',') || undefined};
}

// At most two options with a list of values each.
function axesField(settings, changed) {
  let axes = [];
  const rows = el('div', {class: 'lora-rows'}), wrong = el('small', {class: 'wrong'});
  const names = Object.keys(settings).filter((name) => !NO_AXIS.includes(name));
  const more = el('button', {type: 'button', class: 'soft', onclick: () => { axes.push({option: 'cfg_scale', values: '3, 5, 9'}); draw(); changed(); }}, icon('plus'), 'Vary an option');
  const row = (axis) => {
    const select = el('select', {'aria-label': 'Option to vary', onchange: () => { axis.option = select.value; changed(); }}, names.map((name) => new Option(nameOf(name), name)));
    select.value = axis.option;
    const values = el('input', {value: axis.values, 'aria-label': 'Its values, with commas between', placeholder: '3, 5, 9', oninput: () => { axis.values = values.value; changed(); }});
    return el('div', {class: 'line axis'}, select, values, iconButton('close', 'Take this option out', () => { axes = axes.filter((one) => one !== axis); draw(); changed(); }));
  };
  const draw = () => { rows.replaceChildren(...axes.map(row)); more.disabled = axes.length > 1; };
  const text = ({option, values}) => `${option}=${values.split(',').map((value) => value.trim()).filter(Boolean).join(',')}`;
  const node = el('div', {class: 'field', role: 'group', 'aria-label': 'Options to vary'}, el('span', {class: 'label'}, 'Options to vary'), rows, more,
    el('small', {}, 'The column without them is always there, at the same noise.'), wrong);
  draw();
  return {node, wrong, get: () => axes.filter((axis) => axis.values.trim()).map(text),
    set: (texts) => { axes = (texts ?? []).map((one) => ({option: one.slice(0, one.indexOf('=')), values: one.slice(one.indexOf('=') + 1).replaceAll(',', ', ')})); draw(); }};
}

function mountForecast(node, form) {
  const question = asker();
  return later(600, async () => {
    const values = form.values();
    node.className = 'forecast';
    if (!values.prompt || !form.isValid()) { node.textContent = ''; return; }
    try {
      const {result} = await question('forecast/compare', values);
      const parts = [result.pictures && plural(result.pictures, 'picture'), result.seconds && about(result.seconds), result.peak_gib && `${gib(result.peak_gib)} memory`];
      node.textContent = parts.filter(Boolean).join(', ');
      if (result.fits === false) { node.textContent = `Does not fit: needs ${gib(result.peak_gib)}.`; node.className = 'forecast bad'; }
    } catch (error) {
      if (error.name !== 'AbortError' && !form.mark(error)) { node.textContent = error.message; node.className = 'forecast bad'; }
    }
  });
}

// What was compared, newest first.
function mountSheets() {
  const state = el('p', {class: 'state', role: 'status'}), bar = el('progress', {hidden: true, 'aria-label': 'Progress of the comparison'});
  const stop = el('button', {type: 'button', hidden: true}, 'Stop'), list = el('div', {class: 'sheets'});
  const empty = el('p', {class: 'empty'}, 'Pictures of each arm appear here side by side, drawn from the same noise.');
  const shown = new Map();
  const sheet = (job) => el('article', {class: 'panel'}, el('h3', {}, job.options.prompt || 'Comparison'),
    ...job.notices.map((line) => el('p', {class: 'muted'}, line)), job.error && el('p', {class: 'wrong'}, job.error.message),
    ...(job.result?.files ?? []).map((file) => {
      const name = file.replace(/^pictures\//, '');
      return el('button', {type: 'button', class: 'frame', 'aria-label': 'Open the sheet', onclick: () => openPicture(name)}, el('img', {src: imageUrl(name), alt: `${job.result.arms.join(', ')}: ${job.options.prompt}`, loading: 'lazy'}));
    }));
  const progress = (job) => {
    state.textContent = job ? progressText(job) : '';
    bar.hidden = !job || job.state !== 'running';
    bar.max = job?.progress?.total || 1;
    bar.value = job?.progress?.done ?? 0;
    stop.hidden = !job;
    stop.onclick = () => cancel(job.id).catch(fail);
  };
  const follow = () => {
    const jobs = newestJobs().filter((job) => job.verb === 'compare');
    progress(jobs.findLast(isOpen));
    const over = jobs.filter((job) => ['done', 'failed'].includes(job.state)).slice(0, 10);
    for (const job of over) if (!shown.has(job.id)) shown.set(job.id, sheet(job));
    list.replaceChildren(...over.map((job) => shown.get(job.id)));
    empty.hidden = jobs.length > 0;
  };
  on('changed:jobs', follow);
  on('progress', (job) => { if (job.verb === 'compare') progress(job); });
  follow();
  return el('div', {class: 'stage'}, el('div', {class: 'line'}, state, bar, stop), empty, list, mountScores());
}

export function mount(root) {
  const settings = settingsOf('compare'), keep = draftKeeper('compare', true);
  const forecast = el('p', {class: 'forecast', id: 'compare-forecast'}), wrong = el('p', {class: 'wrong', role: 'alert'});
  const update = () => { keep(form.values()); tell(); };
  const form = new Form(settings, HIDDEN, update);
  const tell = mountForecast(forecast, form), model = () => form.fields.get('model').get();
  form.put('prompt', promptField('compare-prompt', 'Prompt', {rows: 2, placeholder: 'What to draw in every column', changed: update, model}));
  form.put('negative_prompt', promptField('compare-negative', 'Negative prompt', {rows: 1, placeholder: 'In every column', changed: update, model}));
  form.put('arms', armsField(update));
  form.put('axis', axesField(settings, update));
  form.fields.get('lora').onTrigger = (word) => { form.fields.get('negative_word').set(word); update(); };
  const node = el('form', {class: 'panel', 'aria-label': 'What to compare', noValidate: true});
  add(node, form.node('prompt'), form.node('negative_prompt'), form.node('lora'), form.node('arms'), form.node('axis'),
    el('div', {class: 'two'}, ...SHORT.filter((name) => name !== 'lora').map((name) => form.node(name))),
    el('details', {}, el('summary', {}, 'All settings'), ...form.rest([...SHORT, ...HIDDEN])), forecast, wrong,
    el('button', {type: 'submit', class: 'primary', 'aria-describedby': 'compare-forecast'}, 'Compare'));
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    form.clearMarks();
    if (!form.isValid()) return form.firstInvalid().reportValidity();
    try {
      await submit('compare', {prompt: '', ...form.values()});
      toast('Comparing.');
    } catch (error) {
      if (!form.mark(error)) wrong.textContent = error.message;
    }
  });
  root.append(el('div', {class: 'draw'}, node, mountSheets()));
  on('take:compare', (values) => { keep.begin(); form.set(values); update(); location.hash = '#/compare'; });
  on('changed:files', () => form.fill());
  fillFromDraft('compare', form, keep).catch(fail).then(tell);
}

// A picture by itself: its exact recipe, again, one thing changed, beside another one, into the trash and back.
import {ask, fileUrl, imageUrl, picturePath, send} from './api.js';
import {add, el, fail, iconButton, size, toast, when} from './dom.js';
import {hear} from './events.js';
import {nameOf} from './forms.js';
import {recipeOfChunks, settingsOfChunks} from './recipe.js';
import {ended, settingsOf, submit} from './store.js';
import {openSides} from './sides.js';

let dialog = null, names = [], current = null, marked = null;

function make() {
  dialog = el('dialog', {class: 'viewer', 'aria-label': 'Picture'});
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('keydown', (event) => {
    if (event.target.matches('input, select, textarea')) return;
    if (event.key === 'ArrowLeft') step(-1);
    if (event.key === 'ArrowRight') step(1);
    if (event.key === 'Delete') dialog.querySelector('.to-trash')?.click();
  });
  document.body.append(dialog);
}

function step(by) {
  const next = names[names.indexOf(current.name) + by];
  if (next) show(next).catch(fail);
}

function stars(picture) {
  const group = el('div', {class: 'stars', role: 'radiogroup', 'aria-label': 'Rating'});
  const draw = (rating) => group.replaceChildren(...[1, 2, 3, 4, 5].map((n) => iconButton('star', `${n} of 5`, () => {
    send(picturePath(picture.name) + '/rating', {rating: n === rating ? 0 : n}).then((now) => draw(now.rating)).catch(fail);
  }, {role: 'radio', 'aria-checked': String(n === rating), class: n <= rating ? 'quiet on' : 'quiet'})));
  draw(picture.rating);
  return group;
}

const shownValue = (value) => Array.isArray(value) ? value.join(', ') || '–' : String(value === '' ? '–' : value);

function recipeList(chunks) {
  const recipe = recipeOfChunks(chunks);
  if (!recipe) return add(el('div', {}), chunks.map((one) => el('details', {}, el('summary', {}, one.key), el('pre', {}, one.text))));
  const settings = {...recipe.settings, seed: settingsOfChunks(chunks).seed}, known = settingsOf('generate');
  const lines = Object.entries(settings).filter(([name]) => name !== 'prompt' && name !== 'negative_prompt');
  const changed = ([name, value]) => ['seed', 'steps', 'cfg_scale', 'sampler', 'schedule', 'width', 'height'].includes(name) ||
    (Array.isArray(value) ? value.length > 0 : known[name] && known[name].default !== undefined && value !== known[name].default);
  const table = (entries) => el('dl', {class: 'facts'}, entries.flatMap(([name, value]) => [el('dt', {}, nameOf(name)), el('dd', {}, shownValue(value))]));
  return el('div', {}, table(lines.filter(changed)), el('details', {}, el('summary', {}, 'The exact recipe'),
    table(lines.filter((line) => !changed(line))), table([['program', recipe.program_version], ['device', recipe.device]]),
    el('ul', {class: 'inputs'}, (recipe.inputs ?? []).map((input) => el('li', {}, `${input.role} ${input.name}`, el('code', {}, input.sha256))))));
}

async function drawFrom(picture, changes, what) {
  const job = await submit('generate', {from: 'pictures/' + picture.name, ...changes}, 2);
  toast(`${what}: in the queue.`);
  const done = await ended(job.id);
  const made = done.result?.pictures?.[0]?.file;
  if (done.state === 'failed') return toast(done.error.message, 'bad');
  if (made && dialog.open && current.name === picture.name) openSides([picture.name, made.replace(/^pictures\//, '')]);
}

// One option of the picture gets another value; noise and all else stay.
function vary(picture, settings) {
  const known = settingsOf('generate'), first = ['cfg_scale', 'steps', 'sampler', 'schedule', 'seed', 'prompt', 'negative_prompt', 'guidance_rescale'];
  const select = el('select', {'aria-label': 'What to change'}, first.concat(Object.keys(known).filter((name) =>
    !first.includes(name) && !['from', 'show', 'lora', 'embedding', 'batch_count', 'save_tensors'].includes(name))).map((name) => new Option(nameOf(name), name)));
  const value = el('input', {'aria-label': 'Its new value'});
  const show = () => { value.value = settings[select.value] ?? known[select.value].default ?? ''; };
  select.addEventListener('change', show);
  show();
  return el('form', {class: 'vary', onsubmit: (event) => {
    event.preventDefault();
    drawFrom(picture, {[select.value]: typed(value.value, known[select.value])}, `${nameOf(select.value)} ${value.value}`).catch(fail);
  }}, el('span', {class: 'label'}, 'Vary one thing'), el('div', {class: 'control'}, select, value, el('button', {type: 'submit'}, 'Draw it')));
}

function typed(text, setting) {
  if (setting.type === 'boolean') return text === 'true';
  const number = Number(text);
  return (setting.type === 'integer' || setting.type === 'number') && text !== '' && Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text;
}

async function moveTo(picture, what) {
  const at = names.indexOf(picture.name);
  await send(`${picturePath(picture.name)}/${what}`);
  toast(what === 'trash' ? 'In the trash; it can be restored from there.' : 'Restored.');
  names = names.filter((name) => name !== picture.name);
  hear('gallery', {});
  const next = names[Math.min(at, names.length - 1)];
  if (next) await show(next);
  else dialog.close();
}

function removeForEver(picture) {
  if (!confirm('Delete this picture for ever?')) return;
  ask(picturePath(picture.name), {method: 'DELETE'}).then(() => { hear('gallery', {}); dialog.close(); }).catch(fail);
}

function actions(picture, settings) {
  const button = (text, onclick, props = {}) => el('button', {type: 'button', onclick, ...props}, text);
  if (picture.trashed)
    return [button('Restore', () => moveTo(picture, 'restore').catch(fail)), button('Delete for ever', () => removeForEver(picture), {class: 'danger'})];
  const made = settings && button('Again', () => drawFrom(picture, {}, 'The same picture again').catch(fail), {title: 'Draw it again, byte for byte'});
  const into = settings && button('Settings into the form', () => { dialog.close(); hear('take:generate', settings); });
  const beside = marked && marked !== picture.name ? button('Beside the marked one', () => openSides([marked, picture.name])) :
    button(marked ? 'Marked' : 'Mark to compare', () => { marked = picture.name; show(picture.name).catch(fail); }, {'aria-pressed': String(Boolean(marked))});
  return [made, into, beside, el('a', {class: 'button', href: fileUrl('pictures/' + picture.name), download: ''}, 'Download'),
    button('To the trash', () => moveTo(picture, 'trash').catch(fail), {class: 'to-trash danger'})];
}

async function show(name) {
  const [picture, chunks] = await Promise.all([ask(picturePath(name)), ask(picturePath(name) + '/text').catch(() => [])]);
  current = picture;
  const settings = picture.damage ? null : settingsOfChunks(chunks);
  const image = picture.damage ? el('p', {class: 'empty'}, `Damaged: ${picture.damage}`) : el('img', {src: imageUrl(name), alt: picture.prompt || name});
  if (Math.max(picture.width, picture.height) < 400) image.classList.add('small');
  const at = names.indexOf(name);
  dialog.replaceChildren(
    el('div', {class: 'canvas'}, image,
      iconButton('left', 'Newer picture', () => step(-1), {class: 'quiet turn before', disabled: at <= 0}),
      iconButton('right', 'Older picture', () => step(1), {class: 'quiet turn after', disabled: at < 0 || at >= names.length - 1})),
    el('div', {class: 'about'}, el('div', {class: 'line'}, el('h2', {}, picture.trashed ? 'In the trash' : 'Picture'), iconButton('close', 'Close', () => dialog.close())),
      el('p', {class: 'said'}, picture.prompt || '(no prompt is known)'), picture.negative_prompt && el('p', {class: 'said negative'}, picture.negative_prompt),
      el('div', {class: 'actions'}, ...actions(picture, settings)), stars(picture), settings && !picture.trashed ? vary(picture, settings) : null,
      el('p', {class: 'muted'}, `${picture.width} × ${picture.height}, ${size(picture.bytes)}, ${when(picture.made_ms)}, ${picture.name}`), recipeList(chunks)));
}

// siblings: names in the order in which arrow keys turn.
export async function openPicture(name, siblings = []) {
  if (!dialog) make();
  names = [...siblings];
  await show(name).catch(fail);
  if (!dialog.open) dialog.showModal();
}

// The stock experiment on one's own rejects: a set of the Train page, or what the gallery has with one star.
import {ask, asker, imageUrl, send, upload} from './api.js';
import {about, add, el, fail, icon, later, plural, toast} from './dom.js';
import {Form} from './forms.js';
import {settingsOf, submit} from './store.js';

const ENOUGH = 24, PAGE = 500;

async function picturesWithOneStar() {
  const found = [];
  for (let offset = 0; ; offset += PAGE) {
    const {pictures, total} = await ask(`pictures?rating=1&limit=${PAGE}&offset=${offset}`);
    found.push(...pictures.filter((picture) => picture.rating === 1));
    if (offset + PAGE >= total) return found;
  }
}

// Copies them into the set "rejects"; those that are there already stay.
async function gather(tell) {
  const pictures = await picturesWithOneStar();
  for (const [i, {name}] of pictures.entries()) {
    tell(`Picture ${i + 1} of ${pictures.length} …`);
    await upload(`sets/rejects?name=${encodeURIComponent(name.replaceAll('/', '-'))}`, await (await fetch(imageUrl(name))).blob());
  }
  return pictures.length;
}

function dataField(changed) {
  const select = el('select', {id: 'rejects-data', onchange: changed}), count = el('small', {role: 'status'}), wrong = el('small', {class: 'wrong'});
  const fill = async (wanted = select.value) => {
    const sets = (await ask('sets')).filter((set) => set.pictures);
    select.replaceChildren(new Option(sets.length ? 'choose a set' : 'no set yet', ''), ...sets.map((set) => new Option(`${set.name} (${plural(set.pictures, 'picture')})`, set.reference)));
    if (sets.some((set) => set.reference === wanted)) select.value = wanted;
    const chosen = sets.find((set) => set.reference === select.value);
    count.textContent = chosen && chosen.pictures < ENOUGH ? `Few: two dozen or more with one kind of fault teach it well.` : '';
  };
  const stars = el('button', {type: 'button', class: 'soft', onclick: async () => {
    stars.disabled = true;
    try {
      const taken = await gather((text) => { count.textContent = text; });
      if (!taken) toast('No picture of the gallery has one star. Open those that went wrong and give them one.', 'bad');
      await fill('files/sets/rejects');
      changed();
    } catch (error) {
      fail(error);
    }
    stars.disabled = false;
  }}, icon('star'), 'Take those with one star');
  const node = el('div', {class: 'field', 'data-name': 'data'}, el('label', {for: 'rejects-data'}, 'Rejects'), select, stars, count, wrong);
  return {node, wrong, input: select, fill, get: () => select.value || undefined, set: () => {}};
}

// reload(): after a start.
export function mountRejects(reload) {
  const forecast = el('p', {class: 'forecast', id: 'rejects-forecast'}), wrong = el('p', {class: 'wrong', role: 'alert'}), question = asker(), asking = asker();
  const written = async () => (await question('ask/experiment-rejects', form.values())).result;
  const tell = later(600, async () => {
    forecast.textContent = '';
    form.clearMarks();
    if (!form.values().data || !form.isValid()) return;
    try {
      const {result} = await asking('forecast/experiment-run', await written());
      forecast.textContent = [plural(result.arms.length, 'arm'), plural(result.arms.reduce((sum, arm) => sum + arm.pictures, 0), 'picture'), about(result.seconds)].join(', ');
    } catch (error) {
      if (error.name !== 'AbortError' && !form.mark(error)) forecast.textContent = error.message;
    }
  });
  const form = new Form(settingsOf('experiment rejects'), ['data'], tell);
  form.put('data', dataField(tell));
  const short = ['data', 'word', 'name'];
  const node = add(el('form', {class: 'panel', 'aria-label': 'An experiment on your own rejects', noValidate: true}), el('h2', {}, 'On your own rejects'),
    el('p', {class: 'muted'}, 'A LoRA learns what they have in common, and the arms of the stock experiment tell whether leading away from it helps.'),
    ...short.map((one) => form.node(one)), el('details', {}, el('summary', {}, 'All settings'), ...form.rest(short)),
    forecast, wrong, el('button', {type: 'submit', class: 'primary', 'aria-describedby': 'rejects-forecast'}, 'Run on these'));
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    form.clearMarks();
    if (!form.values().data) { wrong.textContent = 'Choose the rejects first: a set of pictures made in Train, or those with one star.'; return; }
    if (!form.isValid()) return form.firstInvalid().reportValidity();
    try {
      const {result} = await send('ask/experiment-rejects', form.values());
      await submit('experiment run', result);
      await reload(result.out);
    } catch (error) {
      if (!form.mark(error)) wrong.textContent = error.message;
    }
  });
  return {node, fill: () => form.fields.get('data').fill()};
}

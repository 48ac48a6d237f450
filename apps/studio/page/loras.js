// LoRAs: what each file is, where it acts, several as one, other dialects.
import {ask, fileUrl, send, upload} from './api.js';
import {el, fail, icon, size, toast, WEIGHTS, when} from './dom.js';
import {hear, on} from './events.js';
import {fileName, inspect, triggersOf} from './lora_field.js';
import {mountMerge} from './merge.js';
import {normPicture} from './norms.js';
import {loadFiles, store, submit} from './store.js';

function fitOf(facts) {
  const parts = Object.entries(facts.parts ?? {}).map(([part, {matched, unmatched, misshapen}]) =>
    `${part.replaceAll('_', ' ')}: ${matched} keys fit${unmatched + misshapen ? `, ${unmatched + misshapen} do not` : ''}`);
  const fits = Object.values(facts.parts ?? {}).every(({unmatched, misshapen}) => unmatched + misshapen === 0);
  return {fits: facts.compared && fits, text: parts.join('; ')};
}

function factList(entries) {
  return el('dl', {class: 'facts'}, entries.filter(([, value]) => value !== '' && value !== undefined && value !== null)
    .flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))]));
}

function convertForm(item) {
  const format = el('select', {'aria-label': 'Dialect'}, ['diffusers', 'kohya', 'peft'].map((one) => new Option(one, one)));
  return el('form', {class: 'vary', onsubmit: (event) => {
    event.preventDefault();
    submit('lora convert', {file: item.reference, format: format.value, out: `${item.name}-${format.value}.safetensors`})
      .then(() => toast('Converting; it appears in this list.')).catch(fail);
  }}, el('span', {class: 'label'}, 'The same in another dialect'), el('div', {class: 'control'}, format, el('button', {type: 'submit'}, 'Convert')));
}

function actionsOf(item, facts) {
  const words = triggersOf(facts), texts = {prompt: '', negative_prompt: ''};
  for (const {word, negative} of words.slice(0, 1)) texts[negative ? 'negative_prompt' : 'prompt'] = word;
  const draw = el('button', {type: 'button', class: 'primary', onclick: () => hear('take:generate', {...texts, lora: [`${item.reference}:1`]})}, 'Draw with it');
  const link = item.reference.startsWith('lora/') && el('a', {class: 'button', href: fileUrl(item.reference), download: ''}, icon('download'), 'Download');
  return el('div', {class: 'actions'}, draw, link);
}

function detail(item, facts) {
  const fit = fitOf(facts), ranks = [...new Set(facts.layers.map((layer) => layer.rank))].sort((a, b) => a - b);
  const words = triggersOf(facts);
  return [el('div', {class: 'line'}, el('h2', {}, item.name), el('span', {class: fit.fits ? 'badge good' : 'badge bad'}, fit.fits ? `fits ${facts.model}` : 'does not fit')),
    words.length ? el('p', {}, 'Trigger words: ', ...words.flatMap(({word, negative}) => [el('code', {}, word), negative ? ' (for the negative prompt) ' : ' '])) :
      el('p', {class: 'muted'}, 'It names no trigger words.'),
    actionsOf(item, facts),
    el('div', {class: 'one-file'}, el('div', {class: 'host'}, factList([['Dialect', facts.dialect], ['Rank', ranks.length > 1 ? `${ranks[0]} to ${ranks.at(-1)}` : ranks[0]], ['Layers', facts.layers.length],
      ['Compared with', facts.model], ['Keys', fit.text], ['Size', size(facts.size_bytes)], ['Looks like', facts.guess], ['Remark', facts.remark], ['Lies in', item.reference],
      ['Changed', when(item.changed_ms)], ['AutoV2', facts.auto_v2]]),
      ...(facts.faults ?? []).map((line) => el('p', {class: 'wrong'}, typeof line === 'string' ? line : JSON.stringify(line))), convertForm(item)),
    el('div', {}, el('h3', {}, 'How much it changes, by block'), normPicture(facts.layers))),
    el('details', {}, el('summary', {}, 'What the file says of itself'), factList(Object.entries(facts.metadata ?? {}).map(([key, value]) => [key, String(value).slice(0, 2000)])))];
}

export async function mount(root) {
  const list = el('ul', {class: 'files'}), about = el('section', {class: 'panel about-file', 'aria-label': 'The chosen LoRA', tabIndex: -1});
  const empty = el('p', {class: 'empty'}, 'No LoRA yet: train one, or drop its file here.');
  const picker = el('input', {type: 'file', accept: WEIGHTS.join(','), multiple: true, hidden: true, onchange: () => take([...picker.files]).catch(fail)});
  let chosen = null;
  const choose = async (item) => {
    chosen = item.reference;
    draw();
    about.replaceChildren(el('p', {class: 'muted', role: 'status'}, `Reading ${item.name} …`));
    try {
      const facts = await inspect(item.reference);
      if (chosen === item.reference) about.replaceChildren(...detail(item, facts));
    } catch (error) {
      about.replaceChildren(el('h2', {}, item.name), el('p', {class: 'wrong', role: 'alert'}, error.message));
    }
  };
  const draw = () => {
    empty.hidden = store.loras.length > 0;
    list.replaceChildren(...store.loras.map((item) => el('li', {}, el('button', {type: 'button', 'aria-pressed': String(item.reference === chosen),
      onclick: () => choose(item).catch(fail)}, el('span', {class: 'grow'}, fileName(item)), el('small', {}, item.fault ? 'cannot be used' : size(item.bytes))))));
  };
  const take = async (files) => {
    for (const file of files) {
      const {reference, name} = await upload(`loras?name=${encodeURIComponent(file.name)}`, file);
      toast(`${name} is kept.`);
      chosen = reference;
    }
    await loadFiles();
    const item = store.loras.find((one) => one.reference === chosen);
    if (item) await choose(item);
  };
  root.addEventListener('dragover', (event) => { event.preventDefault(); root.classList.add('drop'); });
  root.addEventListener('dragleave', () => root.classList.remove('drop'));
  root.addEventListener('drop', (event) => {
    event.preventDefault();
    root.classList.remove('drop');
    take([...event.dataTransfer.files]).catch(fail);
  });
  const side = el('div', {class: 'panel'}, el('div', {class: 'line'}, el('h2', {}, 'Files'),
    el('button', {type: 'button', class: 'soft', onclick: () => picker.click()}, icon('plus'), 'Add')), picker, empty, list);
  root.append(el('div', {class: 'loras-view'}, side, el('div', {class: 'stage'}, about, mountMerge())));
  on('changed:files', draw);
  draw();
  if (store.loras.length) await choose(store.loras[0]);
  else about.hidden = true;
  on('changed:files', () => { if (about.hidden && store.loras.length) { about.hidden = false; choose(store.loras[0]).catch(fail); } });
}

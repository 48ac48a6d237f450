// Several LoRAs as one, and how they interfere, before the file is made.
import {send} from './api.js';
import {el, plainName} from './dom.js';
import {on} from './events.js';
import {Form} from './forms.js';
import {partsOf} from './lora_field.js';
import {heat} from './norms.js';
import {settingsOf, submit} from './store.js';

// Mean over the layers of how much two LoRAs point the same way: 0 apart, 1 the same, -1 against each other.
function meanCosines(layers, count) {
  const sums = Array.from({length: count}, () => Array(count).fill(0)), counts = sums.map((row) => [...row]);
  for (const layer of layers)
    for (const {cosine, loras: [i, j]} of layer.cosines) { sums[i][j] += cosine; ++counts[i][j]; }
  return (i, j) => i === j ? 1 : sums[Math.min(i, j)][Math.max(i, j)] / (counts[Math.min(i, j)][Math.max(i, j)] || 1);
}

function matrix(names, layers) {
  const mean = meanCosines(layers, names.length);
  const cell = (i, j) => heat(el('td', {}, i === j ? '–' : mean(i, j).toFixed(2)), i === j ? 0 : Math.abs(mean(i, j)), mean(i, j) < 0 ? 'var(--negative)' : 'var(--accent)');
  return el('div', {class: 'scroll', tabIndex: 0, role: 'group', 'aria-label': 'How the LoRAs interfere'}, el('table', {class: 'heat'},
    el('thead', {}, el('tr', {}, el('td'), ...names.map((name) => el('th', {scope: 'col'}, name)))),
    el('tbody', {}, names.map((name, i) => el('tr', {}, el('th', {scope: 'row'}, name), ...names.map((other, j) => cell(i, j)))))));
}

function worst(layers) {
  const most = layers.map((layer) => ({module: layer.module, cosine: layer.cosines.reduce((best, {cosine}) => Math.abs(cosine) > Math.abs(best) ? cosine : best, 0)}))
    .sort((a, b) => Math.abs(b.cosine) - Math.abs(a.cosine)).slice(0, 6);
  return el('dl', {class: 'facts'}, most.flatMap(({module, cosine}) => [el('dt', {}, cosine.toFixed(2)), el('dd', {}, module)]));
}

function answer(result, references) {
  const names = references.map((text) => plainName(partsOf(text).name.split('/').pop()));
  const said = result.greatest_cosine > 0.3 ? 'They share directions: together they are stronger there than each alone.' :
    result.greatest_cosine < -0.3 ? 'They work against each other in places.' : 'They hardly touch each other.';
  return [el('p', {}, said), matrix(names, result.layers), el('h3', {}, 'Layers that touch most'), worst(result.layers),
    el('p', {class: 'muted'}, `Error of the merge: ${(100 * result.error).toFixed(2)} % of the exact sum.`)];
}

export function mountMerge() {
  const form = new Form(settingsOf('lora merge'), ['out'], () => { shown.replaceChildren(); });
  const shown = el('div', {class: 'answer', role: 'status'}), wrong = el('p', {class: 'wrong', role: 'alert'});
  const name = el('input', {type: 'text', id: 'merge-name', placeholder: 'chosen for you', autocomplete: 'off'});
  const options = () => ({...form.values(), ...(name.value.trim() ? {out: `${name.value.trim()}.safetensors`} : {})});
  const attempt = async (action) => {
    wrong.textContent = '';
    form.clearMarks();
    if ((form.values().loras ?? []).length < 2) { wrong.textContent = 'Add two LoRAs at least.'; return; }
    try {
      await action();
    } catch (error) {
      if (!form.mark(error)) wrong.textContent = error.message;
    }
  };
  const look = () => attempt(async () => {
    const {result} = await send('forecast/lora-merge', options());
    shown.replaceChildren(...answer(result, options().loras));
  });
  const node = el('form', {class: 'panel', 'aria-label': 'Merge LoRAs', noValidate: true, onsubmit: (event) => {
    event.preventDefault();
    attempt(async () => {
      await submit('lora merge', options());
      shown.replaceChildren(el('p', {}, 'Merging; the file appears in the list.'));
    });
  }}, el('h2', {}, 'Merge'), form.node('loras'),
  el('div', {class: 'two'}, form.node('method'), form.node('rank'), form.node('format'),
    el('div', {class: 'field'}, el('label', {for: 'merge-name'}, 'Name of the file'), name)),
  el('details', {}, el('summary', {}, 'All settings'), ...form.rest(['loras', 'method', 'rank', 'format'])), wrong,
  el('div', {class: 'actions'}, el('button', {type: 'button', onclick: look}, 'Show how they interfere'), el('button', {type: 'submit', class: 'primary'}, 'Merge')), shown);
  on('changed:files', () => form.fill());
  return node;
}

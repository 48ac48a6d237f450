// LoRAs of a form: each with a weight, the same for both halves of classifier-free guidance or one for each.
import {send} from './api.js';
import {add, el, icon, iconButton, plainName, slider} from './dom.js';
import {store} from './store.js';

const inspected = new Map();
export function inspect(reference) {
  if (!inspected.has(reference)) {
    const answer = send('ask/lora-inspect', {file: reference}).then((body) => body.result);
    answer.catch(() => inspected.delete(reference));
    inspected.set(reference, answer);
  }
  return inspected.get(reference);
}

// Its name; with the folder where two have the same.
export const fileName = (item) => store.loras.filter((one) => one.name === item.name).length > 1 ? `${item.name} (${item.reference.split('/')[0]})` : item.name;

// Trigger words with where they belong, by what the file says of itself.
export function triggersOf(facts) {
  const hint = `${facts.metadata?.['modelspec.usage_hint'] ?? ''}`;
  const words = [facts.trigger, ...(facts.words ?? []).map((word) => word.word ?? word)].filter((word) => typeof word === 'string' && word);
  return [...new Set(words)].slice(0, 12).map((word) => ({word, negative: /negative prompt/i.test(hint)}));
}

// "NAME:0.8:negative" in its parts; NAME may have ":" in it.
export function partsOf(text) {
  const match = /^(.*?)(?::(-?[0-9.]+))?(?::(both|negative|positive))?$/.exec(text);
  return {name: match[1], weight: Number(match[2] ?? 1), branch: match[3] ?? 'both'};
}

const referenceOf = (name) => {
  const stem = plainName(name).split('/').pop();
  return (store.loras.find((item) => item.reference === name) ?? store.loras.find((item) => item.name === stem))?.reference ?? name;
};

// The same file on both branches with different weights is one row.
function rowsOf(texts) {
  const rows = new Map();
  for (const text of texts) {
    const {name, weight, branch} = partsOf(text), reference = referenceOf(name);
    const row = rows.get(reference) ?? {reference, prompt: 0, negative: 0, linked: branch === 'both'};
    if (branch !== 'negative') row.prompt = weight;
    if (branch !== 'positive') row.negative = weight;
    rows.set(reference, row);
  }
  return [...rows.values()];
}

function textsOf(row) {
  if (!row.reference) return [];
  if (row.linked || row.prompt === row.negative) return [`${row.reference}:${row.prompt}`];
  const texts = [];
  if (row.prompt) texts.push(`${row.reference}:${row.prompt}:positive`);
  if (row.negative) texts.push(`${row.reference}:${row.negative}:negative`);
  return texts;
}

function weightSlider(title, value, changed) {
  const number = el('input', {type: 'number', step: 0.05, value, 'aria-label': title});
  const range = slider({min: -1, max: 2, step: 0.05, value, 'aria-label': title + ', slider'});
  const take = (from, to) => () => { to.value = from.value; changed(Number(from.value) || 0); };
  range.addEventListener('input', take(range, number));
  number.addEventListener('input', take(number, range));
  return el('div', {class: 'weight'}, el('span', {}, title), range, number);
}

function sliders(row, changed, again, simple) {
  if (simple || row.linked)
    return [weightSlider('Weight', row.prompt, (value) => { row.prompt = row.negative = value; changed(); })];
  return [weightSlider('Prompt side', row.prompt, (value) => { row.prompt = value; changed(); }),
    weightSlider('Negative side', row.negative, (value) => { row.negative = value; changed(); })];
}

async function addTriggers(node, row, onTrigger) {
  try {
    const facts = await inspect(row.reference);
    add(node, triggersOf(facts).map(({word, negative}) => el('button', {type: 'button', class: 'chip',
      title: negative ? 'Put it into the negative prompt' : 'Put it into the prompt', onclick: () => onTrigger(word, negative)},
    icon('plus'), negative ? `${word} → negative` : word)));
    if (facts.faults?.length || facts.off?.length) node.append(el('small', {class: 'wrong'}, `does not fit ${facts.model} as a whole`));
  } catch (error) {
    node.append(el('small', {class: 'wrong'}, error.message));
  }
}

function rowNode(row, hooks) {
  const select = el('select', {'aria-label': 'LoRA', onchange: () => { row.reference = select.value; hooks.again(); }},
    store.loras.map((item) => new Option(fileName(item), item.reference)));
  if (!store.loras.some((item) => item.reference === row.reference)) select.append(new Option(row.reference, row.reference));
  select.value = row.reference;
  const branches = el('button', {type: 'button', class: 'quiet', 'aria-pressed': String(!row.linked),
    'aria-label': 'A weight for each branch', title: 'A weight for each branch: prompt and negative prompt',
    onclick: () => { row.linked = !row.linked; if (row.linked) row.negative = row.prompt; hooks.again(); }}, icon('link'));
  const words = el('div', {class: 'chips'});
  if (hooks.onTrigger) addTriggers(words, row, hooks.onTrigger);
  return el('div', {class: 'lora-row', role: 'group', 'aria-label': `LoRA ${row.reference}`},
    el('div', {class: 'line'}, select, hooks.simple ? null : branches, iconButton('close', 'Take this LoRA out', () => hooks.remove(row))),
    ...sliders(row, hooks.changed, hooks.again, hooks.simple), words);
}

export function loraField(name, setting, changed) {
  let rows = [];
  const list = el('div', {class: 'lora-rows'}), wrong = el('small', {class: 'wrong'});
  const more = el('button', {type: 'button', class: 'soft', onclick: () => {
    const used = new Set(rows.map((row) => row.reference));
    const free = store.loras.find((item) => !used.has(item.reference)) ?? store.loras[0];
    rows.push({reference: free.reference, prompt: 1, negative: 1, linked: true});
    hooks.again();
  }}, icon('plus'), 'Add a LoRA');
  const field = {onTrigger: null};
  const hooks = {
    simple: name === 'loras', changed, onTrigger: (...word) => field.onTrigger?.(...word),
    again: () => { draw(); changed(); },
    remove: (row) => { rows = rows.filter((one) => one !== row); hooks.again(); },
  };
  const draw = () => {
    list.replaceChildren(...rows.map((row) => rowNode(row, hooks)));
    more.disabled = store.loras.length === 0;
    more.title = more.disabled ? 'There is none yet: train one, or drop a file in LoRAs' : '';
  };
  draw();
  const node = el('div', {class: 'field loras', role: 'group', 'aria-label': 'LoRAs', 'data-name': name},
    el('span', {class: 'label'}, 'LoRAs'), list, more, wrong);
  return Object.assign(field, {node, wrong, fill: draw, get: () => rows.flatMap(textsOf),
    set: (texts) => { rows = rowsOf(texts ?? []); draw(); }});
}

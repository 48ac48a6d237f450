// Norms of a LoRA's layers as a picture: blocks down, kinds of layers across, the stronger the darker.
import {el} from './dom.js';

const KINDS = [['self-attention', /\.attn1\.|self_attn/], ['cross-attention', /\.attn2\./], ['feed-forward', /\.ff\.|\.mlp\./], ['convolution', /conv|time_emb|resnets/], ['other', /./]];
const blockOf = (layer) => {
  const name = /^((?:down|up)_blocks\.\d+(?:\.(?:attentions|resnets)\.\d+)?|mid_block|text_model\.encoder\.layers\.\d+)/.exec(layer.module)?.[1] ?? layer.module.split('.')[0];
  const short = name.replace('_blocks.', ' ').replace('.attentions.', '.').replace('.resnets.', '.').replace('mid_block', 'middle').replace('text_model.encoder.layers.', 'layer ');
  return layer.component === 'unet' ? short : `${layer.component.replaceAll('_', ' ')}, ${short}`;
};

// Colours a cell by its share of the largest.
export function heat(cell, share, colour = 'var(--accent)') {
  cell.style.background = `color-mix(in srgb, ${colour} ${Math.round(8 + 36 * Math.min(1, Math.max(0, share)))}%, var(--surface))`;
  return cell;
}

const shown = (norm, most) => most < 0.5 ? norm.toPrecision(2) : norm.toFixed(2);

export function normPicture(layers) {
  const sums = new Map();
  for (const layer of layers) {
    const block = blockOf(layer), kind = KINDS.find(([, pattern]) => pattern.test(layer.module))[0];
    if (!sums.has(block)) sums.set(block, new Map());
    const cell = sums.get(block).get(kind) ?? [];
    cell.push(layer.norm);
    sums.get(block).set(kind, cell);
  }
  const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const kinds = KINDS.map(([kind]) => kind).filter((kind) => [...sums.values()].some((row) => row.has(kind)));
  const most = Math.max(...[...sums.values()].flatMap((row) => [...row.values()].map(mean)), 1e-9);
  const rows = [...sums].map(([block, row]) => el('tr', {}, el('th', {scope: 'row'}, block), ...kinds.map((kind) =>
    row.has(kind) ? heat(el('td', {title: `${row.get(kind).length} layers`}, shown(mean(row.get(kind)), most)), mean(row.get(kind)) / most) : el('td', {}, ''))));
  return el('div', {class: 'scroll', tabIndex: 0, role: 'group', 'aria-label': 'Mean norm by block'},
    el('table', {class: 'heat'}, el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'block'), ...kinds.map((kind) => el('th', {scope: 'col'}, kind)))), el('tbody', {}, rows)));
}

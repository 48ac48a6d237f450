// Loss and validation loss of a training as lines.
import {el} from './dom.js';

const WIDTH = 600, HEIGHT = 200, SPACE = 'http://www.w3.org/2000/svg';

function shape(tag, attributes) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// Single losses jump: the mean of those around each is what is looked at.
function smoothed(points) {
  const reach = Math.max(1, Math.floor(points.length / 24));
  return points.map(([step], i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1);
    return [step, near.reduce((sum, [, loss]) => sum + loss, 0) / near.length];
  });
}

const round = (value) => value >= 100 ? value.toFixed(0) : value.toPrecision(3);

// Keeps a picture of the points; draw(losses, validation, steps) shows them anew.
export function curve() {
  const svg = shape('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', class: 'curve', role: 'img'});
  const top = el('span'), bottom = el('span'), last = el('span', {class: 'end'}), text = el('figcaption', {class: 'muted'});
  const node = el('figure', {class: 'curves'}, el('div', {class: 'scale'}, top, bottom), svg, el('div', {class: 'steps'}, el('span', {}, '0'), last), text);
  const draw = (losses, validation, steps) => {
    node.hidden = losses.length < 2;
    if (node.hidden) return;
    const even = smoothed(losses), all = [...even, ...validation].map(([, loss]) => loss);
    const low = Math.min(...all), high = Math.max(...all), span = high - low || 1, end = Math.max(steps, losses.at(-1)[0]);
    const at = ([step, loss]) => `${(WIDTH * step / end).toFixed(1)},${(HEIGHT - 8 - (HEIGHT - 16) * (loss - low) / span).toFixed(1)}`;
    const line = (points, name) => shape('polyline', {points: points.map(at).join(' '), class: name, 'vector-effect': 'non-scaling-stroke'});
    const raw = losses.map(([step, loss]) => [step, Math.min(high, Math.max(low, loss))]);
    svg.replaceChildren(line(raw, 'raw'), line(even, 'loss'), ...(validation.length ? [line(validation, 'validation')] : []));
    const said = `Loss ${round(even[0][1])} at first, ${round(even.at(-1)[1])} now${validation.length ? `; held-out pictures ${round(validation.at(-1)[1])}` : ''}.`;
    svg.setAttribute('aria-label', said);
    [top.textContent, bottom.textContent, last.textContent, text.textContent] = [round(high), round(low), `step ${end}`, said];
  };
  draw([], [], 1);
  return {node, draw};
}

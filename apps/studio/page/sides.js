// Two pictures under one slider.
import {imageUrl} from './api.js';
import {el, iconButton} from './dom.js';

export function openSides([left, right]) {
  const range = el('input', {type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'How much of the first picture is shown'});
  const over = el('img', {src: imageUrl(left), alt: left, class: 'over', draggable: false}), under = el('img', {src: imageUrl(right), alt: right, draggable: false});
  for (const image of [over, under]) image.onload = () => image.classList.toggle('small', image.naturalWidth < 400);
  const edge = el('div', {class: 'edge'});
  const put = () => {
    over.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
    edge.style.insetInlineStart = `${range.value}%`;
  };
  const pair = el('div', {class: 'pair-view'}, under, over, edge);
  const drag = (event) => {
    if (!event.buttons) return;
    const box = pair.getBoundingClientRect();
    range.value = 100 * (event.clientX - box.left) / box.width;
    put();
  };
  pair.addEventListener('pointerdown', drag);
  pair.addEventListener('pointermove', drag);
  range.addEventListener('input', put);
  put();
  const dialog = el('dialog', {class: 'sides', 'aria-label': 'Side by side'},
    el('div', {class: 'line'}, el('h2', {}, 'Side by side'), iconButton('close', 'Close', () => dialog.close())),
    pair, el('div', {class: 'line names'}, el('span', {}, left), range, el('span', {}, right)));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  range.focus();
}

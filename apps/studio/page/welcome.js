// The first page: a picture at once, what it was drawn with, and how to come to real ones.
import {el, fail} from './dom.js';
import {on} from './events.js';
import {ask} from './api.js';
import {submit} from './store.js';

export async function mountWelcome(stage, take, form) {
  const {total} = await ask('pictures?limit=1');
  if (total > 0) return;
  const first = {prompt: 'fox on a white background', steps: 20, cfg_scale: 5, seed: '1'};
  const go = el('button', {type: 'button', class: 'primary', onclick: () => {
    take(first);
    submit('generate', form.values(), 2).catch(fail);
  }}, 'Draw a first picture');
  const node = el('section', {class: 'welcome', 'aria-labelledby': 'welcome-title'},
    el('h2', {id: 'welcome-title'}, 'Welcome to negativa'),
    el('p', {}, 'A picture in a few seconds, on this machine alone: nothing leaves it.'), go,
    el('p', {class: 'muted'}, 'It is drawn with emoji-xl, a toy model of 64 × 64 pixels that comes with the program so that everything here can be tried at once. It knows emoji on plain backgrounds and little else.'),
    el('h3', {}, 'With a real model'),
    el('p', {}, 'Put an SDXL model, a .safetensors file or a diffusers folder, into the models folder, and choose it under Model:'),
    el('p', {}, el('code', {}, '~/.local/share/negativa/models')),
    el('p', {class: 'muted'}, 'A folder elsewhere: start the studio with --folder FOLDER. Before anything is drawn the page says how long it will take and whether it fits into memory.'));
  stage.prepend(node);
  stage.classList.add('first');
  on('picture', () => { node.remove(); stage.classList.remove('first'); });
}

// A picture that is dropped anywhere brings its settings: one of negativa's all of them, one of another program what means something
// here, with a list of what does not.
import {upload} from './api.js';
import {el, fail, icon, iconButton, toast} from './dom.js';
import {filesOfChunks, settingsOfChunks} from './recipe.js';

const NAMES = {webui: 'the webui', Fooocus: 'Fooocus', ComfyUI: 'ComfyUI'};

// {picker, button, told}: nodes; `told` lists what was left out.
export function takeDrops(node, take) {
  const told = el('section', {class: 'taken', role: 'status', 'aria-label': 'What the picture brought', hidden: true});
  const tell = (title, lines) => {
    told.replaceChildren(el('div', {class: 'line'}, el('strong', {}, title), iconButton('close', 'Close this list', () => { told.hidden = true; })),
      el('ul', {}, lines.map((line) => el('li', {}, line))));
    told.hidden = false;
  };
  const read = async (file) => {
    told.hidden = true;
    try {
      const chunks = await upload('png-info', file), own = settingsOfChunks(chunks);
      if (own) {
        take(own);
        const files = filesOfChunks(chunks);
        if (files.length) return tell(`Settings of ${file.name} taken. Not as in that picture:`, files);
        return toast(`Settings of ${file.name} taken.`);
      }
      const {program, settings, not_honoured: lines} = await upload('png-settings', file);
      if (!program) return tell(`No settings found in ${file.name}.`, lines);
      take(settings);
      tell(`Settings of ${file.name} taken, made with ${NAMES[program] ?? program}.${lines.length ? ' Not as in that picture:' : ''}`, lines);
    } catch (error) {
      fail(error);
    }
  };
  const picker = el('input', {type: 'file', accept: 'image/png', hidden: true, onchange: () => {
    if (picker.files[0]) read(picker.files[0]);
    picker.value = '';  // the same file again is a change
  }});
  const button = el('button', {type: 'button', class: 'soft', onclick: () => picker.click()}, icon('download'), 'Settings from a PNG');
  node.addEventListener('dragover', (event) => { event.preventDefault(); node.classList.add('drop'); });
  node.addEventListener('dragleave', () => node.classList.remove('drop'));
  node.addEventListener('drop', (event) => {
    event.preventDefault();
    node.classList.remove('drop');
    if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
  });
  return {picker, button, told};
}

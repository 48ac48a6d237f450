// A set of pictures to train on: as they will be cropped, each with its caption.
import {ask, send, upload} from './api.js';
import {el, fail, icon, iconButton, later, plural, toast} from './dom.js';

const PICTURE = /\.(png|jpe?g|webp)$/i, TEXT = /\.txt$/i;
const stem = (name) => name.replace(/\.[^.]*$/, '');
const address = (set, file) => `sets/${encodeURIComponent(set)}/${encodeURIComponent(file)}`;

// "31 with captions, 9 without"
export function captionCount(pictures) {
  const captioned = pictures.filter((picture) => picture.caption).length;
  if (!pictures.length) return 'no pictures yet';
  if (captioned === 0) return `${plural(pictures.length, 'picture')}, none with a caption`;
  return captioned === pictures.length ? `${plural(captioned, 'picture')}, all with captions` : `${captioned} with captions, ${pictures.length - captioned} without`;
}

// changed(pictures): after each change; newName(): a free name for pictures that came before there was one.
export function mountSet(changed, newName) {
  const list = el('ul', {class: 'set'}), count = el('p', {class: 'muted', role: 'status'});
  const picker = el('input', {type: 'file', multiple: true, accept: '.png,.jpg,.jpeg,.webp,.txt', hidden: true, onchange: () => {
    take([...picker.files]).catch(fail);
    picker.value = '';  // the same files again are a change
  }});
  const empty = el('div', {class: 'empty'}, el('p', {}, 'Drop pictures here, with their .txt captions if they have any.'));
  const pick = el('button', {type: 'button', class: 'soft', onclick: () => picker.click()}, icon('plus'), 'Add pictures');
  const node = el('section', {class: 'panel set-panel', 'aria-label': 'Pictures to train on'},
    el('div', {class: 'line'}, el('h2', {}, 'Pictures'), pick), count, picker, empty, list);
  let set = '', pictures = [];

  const told = () => { count.textContent = captionCount(pictures); empty.hidden = pictures.length > 0; changed(pictures); };
  const remove = async (picture) => {
    await ask(address(set, picture.file), {method: 'DELETE'});
    await show(set);
  };
  const entry = (picture) => {
    const caption = el('textarea', {rows: 2, value: picture.caption ?? '', placeholder: 'Caption', 'aria-label': `Caption of ${picture.file}`});
    const save = later(400, async () => {
      picture.caption = (await send(address(set, picture.file) + '/caption', {caption: caption.value}).catch(fail))?.caption ?? picture.caption;
      told();
    });
    caption.addEventListener('input', save);
    return el('li', {}, el('img', {src: `/api/v1/${address(set, picture.file)}/thumbnail`, alt: picture.caption || picture.file, loading: 'lazy', title: picture.file}),
      caption, iconButton('close', `Take ${picture.file} out of the set`, () => remove(picture).catch(fail)));
  };
  const show = async (name) => {
    set = name;
    pictures = set ? (await ask('sets/' + encodeURIComponent(set))).pictures : [];
    list.replaceChildren(...pictures.map(entry));
    told();
  };
  const bind = async (texts) => {
    for (const file of texts) {
      const picture = pictures.find((one) => stem(one.file) === stem(file.name));
      if (picture) await send(address(set, picture.file) + '/caption', {caption: await file.text()});
      else toast(`${file.name} has no picture of its name.`, 'bad');
    }
  };
  const take = async (files) => {
    const images = files.filter((file) => PICTURE.test(file.name)), texts = files.filter((file) => TEXT.test(file.name));
    if (!set && images.length) {
      set = newName();
      toast(`The set is called ${set}.`);
    }
    for (const [i, file] of images.entries()) {
      count.textContent = `Picture ${i + 1} of ${images.length} …`;
      await upload(`sets/${encodeURIComponent(set)}?name=${encodeURIComponent(file.name)}`, file).catch(fail);
    }
    await show(set);
    if (texts.length) { await bind(texts).catch(fail); await show(set); }
    if (!images.length && !texts.length) toast('PNG, JPEG and WebP pictures and .txt captions are taken.', 'bad');
  };
  node.addEventListener('dragover', (event) => { event.preventDefault(); node.classList.add('drop'); });
  node.addEventListener('dragleave', () => node.classList.remove('drop'));
  node.addEventListener('drop', (event) => {
    event.preventDefault();
    node.classList.remove('drop');
    take([...event.dataTransfer.files]).catch(fail);
  });
  told();
  return {node, show, pictures: () => pictures};
}

// The stage beside the form: what is being drawn, then the picture, and the latest ones below.
import {ask, imageUrl, thumbnailUrl} from './api.js';
import {el, fail, later} from './dom.js';
import {on} from './events.js';
import {progressText} from './queue.js';
import {openJobs, stopping, store} from './store.js';
import {openPicture} from './viewer.js';

const LATEST = 24;

export function tile(picture, open) {
  const title = picture.prompt || picture.name;
  if (picture.damage) return el('button', {type: 'button', class: 'tile damaged', title: picture.damage, onclick: open}, 'damaged');
  const image = el('img', {src: thumbnailUrl(picture.name), alt: title, loading: 'lazy', decoding: 'async', draggable: false});
  if (Math.max(picture.width, picture.height) < 200) image.classList.add('small');
  return el('button', {type: 'button', class: 'tile', 'aria-label': `Open: ${title}`, title, onclick: open}, image);
}

export async function mountLive(stage) {
  const image = el('img', {alt: '', hidden: true}), frame = el('button', {type: 'button', class: 'frame', 'aria-label': 'Open the picture'}, image);
  const text = el('p', {class: 'state', role: 'status'}), bar = el('progress', {hidden: true, 'aria-label': 'Progress'});
  const empty = el('p', {class: 'empty'}, 'Write what to draw, and press Draw.');
  const notices = el('ul', {class: 'notices'}), strip = el('div', {class: 'strip', role: 'group', 'aria-label': 'Latest pictures'});
  let shown = null, running = null, loading = false;
  stage.append(el('div', {class: 'easel'}, frame, empty), el('div', {class: 'line'}, text, bar), notices, strip);
  frame.addEventListener('click', () => shown && openPicture(shown, latest));
  let latest = [];

  const put = (url, alt) => {
    image.hidden = false;
    empty.hidden = true;
    loading = true;
    image.onload = () => {
      loading = false;
      image.classList.toggle('small', Math.max(image.naturalWidth, image.naturalHeight) < 400);
    };
    image.onerror = () => { loading = false; };
    image.src = url;
    image.alt = alt;
  };
  const show = (picture) => {
    shown = picture.name;
    if (!picture.damage) put(imageUrl(picture.name), picture.prompt);
  };
  const load = async () => {
    const page = await ask(`pictures?limit=${LATEST}`);
    latest = page.pictures.map((one) => one.name);
    strip.replaceChildren(...page.pictures.map((one) => tile(one, () => show(one))));
    if (!running && page.pictures.length && !page.pictures.some((one) => one.name === shown)) show(page.pictures[0]);
    if (!page.pictures.length) { image.hidden = true; empty.hidden = false; }
    frame.disabled = page.pictures.length === 0;
  };
  const reload = later(150, () => load().catch(fail));
  const progress = (job) => {
    text.textContent = job ? `${progressText(job)}${job.options.prompt ? `: ${job.options.prompt}` : ''}` : '';
    bar.hidden = !job || job.state !== 'running';
    bar.max = job?.progress?.total || 1;
    if (job?.progress?.total) bar.value = job.progress.done;
    else bar.removeAttribute('value');
  };
  const follow = () => {
    const job = openJobs().find((one) => one.verb === 'generate' && one.state === 'running') ?? openJobs().find((one) => one.verb === 'generate');
    if (running && job?.id !== running) {
      const last = store.jobs.get(running);
      notices.replaceChildren(...(last?.notices ?? []).map((line) => el('li', {}, line)));
      if (last?.error) notices.append(el('li', {class: 'wrong'}, last.error.message));
    }
    if (job && job.id !== running) notices.replaceChildren();
    running = job?.id ?? null;
    frame.classList.toggle('busy', Boolean(running));
    progress(job);
  };
  on('changed:jobs', follow);
  on('progress', (job) => { if (job.id === running) progress(job); });
  on('preview', (data) => {
    if (data.job !== running || loading || stopping.has(data.job)) return;  // no more of them than can be shown
    put(`/api/v1/jobs/${data.job}/preview?step=${data.step}&picture=${data.picture}`, `after step ${data.step}`);
  });
  on('picture', (data) => {
    if (!data.name) return;
    if (store.jobs.get(data.job)?.verb === 'generate') show({name: data.name, prompt: store.jobs.get(data.job).options.prompt ?? ''});
    reload();
  });
  on('resync gallery', reload);
  await load();
  follow();
}

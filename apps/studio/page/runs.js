// Trainings: curves, what was drawn along the way, pause and go on.
import {ask, fileUrl} from './api.js';
import {el, fail, later, plainName} from './dom.js';
import {hear, on} from './events.js';
import {curve} from './curves.js';
import {progressText} from './queue.js';
import {cancel, isOpen, newestJobs, store, submit} from './store.js';

const rootOf = (job) => job.verb === 'train embedding' ? 'embeddings' : 'lora';
export const outOf = (job) => job.options.out ?? `${job.verb === 'train embedding' ? 'word' : 'lora'}-${String(job.id).padStart(6, '0')}.safetensors`;
const nameOfRun = (job) => plainName(outOf(job));
const address = (job) => `trainings/${rootOf(job)}/${encodeURIComponent(nameOfRun(job))}`;

// What to draw first: what was looked at along the way, or what the pictures were trained on.
async function promptOf({validation_prompt, prompt, data}) {
  if (validation_prompt || prompt) return validation_prompt || prompt;
  const set = /^files\/sets\/([^/]+)$/.exec(data)?.[1];
  return set ? (await ask(`sets/${encodeURIComponent(set)}`)).pictures.find((picture) => picture.caption)?.caption ?? '' : '';
}

async function drawWith(job) {
  if (job.verb === 'train embedding') return hear('take:generate', {prompt: nameOfRun(job), embedding: [outOf(job)]});
  return hear('take:generate', {prompt: await promptOf(job.options), negative_prompt: '', lora: [`lora/${outOf(job)}:1`], model: job.options.model});
}

class Run {
  constructor(job) {
    this.id = job.id;
    this.course = {losses: [], validation: [], previews: []};
    this.curve = curve();
    this.title = el('h3', {}, nameOfRun(job));
    this.text = el('p', {class: 'muted', role: 'status'});
    this.bar = el('progress', {'aria-label': `Progress of the training ${nameOfRun(job)}`});
    this.buttons = el('div', {class: 'actions'});
    this.previews = el('ol', {class: 'previews', 'aria-label': 'Previews along the run'});
    this.wrong = el('p', {class: 'wrong'});
    this.node = el('article', {class: 'run'}, el('div', {class: 'line'}, this.title), this.text, this.bar, this.wrong, this.curve.node, this.previews, this.buttons);
    this.draw = later(100, () => this.curve.draw(this.course.losses, this.course.validation, this.job().options.steps ?? 500));
    this.reload = later(200, () => this.load().catch(fail));
  }
  job() { return store.jobs.get(this.id); }

  async load() {
    this.course = await ask(address(this.job()));
    this.draw();
    this.previews.replaceChildren(...this.course.previews.map((step) => el('li', {},
      el('img', {src: `/api/v1/${address(this.job())}/previews/${String(step).padStart(8, '0')}`, alt: `after step ${step}`, class: 'small'}), el('small', {}, String(step)))));
  }

  // Its place in the run's own words, and what can be done with it.
  update() {
    const job = this.job(), last = this.course.losses.at(-1)?.[0] ?? 0;
    const over = {done: 'Finished', cancelled: `Paused after step ${last}`, failed: 'Failed'}[job.state];
    this.text.textContent = over ?? progressText(job);
    this.bar.hidden = job.state !== 'running';
    this.bar.max = job.progress?.total || 1;
    this.bar.value = job.progress?.done ?? 0;
    this.wrong.textContent = job.error?.message ?? '';
    if (this.state === job.state) return;
    this.state = job.state;
    const button = (text, onclick, props = {}) => el('button', {type: 'button', onclick, ...props}, text);
    const goOn = () => submit(job.verb, {...job.options, out: outOf(job)}, 1).catch(fail);
    this.buttons.replaceChildren(...(isOpen(job) ? [button('Pause', () => cancel(job.id).catch(fail), {title: 'Saves a checkpoint; it can go on from there'})] :
      job.state === 'done' ? [button('Draw with it now', () => drawWith(job).catch(fail), {class: 'primary'}),
        el('a', {class: 'button', href: fileUrl(`${rootOf(job)}/${outOf(job)}`), download: ''}, 'Download')] :
      [button('Resume', goOn, {class: 'primary', title: 'Goes on from its last checkpoint'})]));
  }
}

export function mountRuns() {
  const list = el('div', {class: 'runs'}), older = el('div', {class: 'runs'}), before = el('details', {hidden: true}, el('summary', {}, 'Earlier trainings'), older), empty = el('p', {class: 'empty'}, 'Trainings appear here with their curves and previews.');
  const node = el('section', {class: 'panel', 'aria-label': 'Trainings'}, el('h2', {}, 'Trainings'), empty, list, before);
  const runs = new Map();
  // A training that was paused and went on is one run: its newest job.
  const newest = () => {
    const seen = new Set();
    return newestJobs().filter((job) => job.verb.startsWith('train ')).filter((job) => {
      const key = rootOf(job) + outOf(job);
      return !seen.has(key) && seen.add(key);
    }).slice(0, 12);
  };
  const put = (place, jobs) => {
    const nodes = jobs.map((job) => runs.get(job.id).node);
    if (nodes.length !== place.childElementCount || nodes.some((one, i) => place.children[i] !== one)) place.replaceChildren(...nodes);
  };
  const follow = () => {
    const jobs = newest();
    empty.hidden = jobs.length > 0;
    for (const job of jobs)
      if (!runs.has(job.id)) {
        runs.set(job.id, new Run(job));
        runs.get(job.id).load().catch(fail);
      }
    const open = (job, i) => i === 0 || isOpen(job);
    put(list, jobs.filter(open));
    put(older, jobs.filter((job, i) => !open(job, i)));
    before.hidden = older.childElementCount === 0;
    for (const job of jobs) {
      const run = runs.get(job.id), was = run.state;
      run.update();
      if (was === 'running' && job.state !== 'running') run.reload();
    }
  };
  on('changed:jobs', follow);
  on('progress', (job) => runs.get(job.id)?.update());
  on('loss', (data) => {
    const run = runs.get(data.job);
    if (!run) return;
    run.course.losses.push([data.step, data.loss]);
    run.draw();
  });
  on('validation checkpoint preview', (data) => runs.get(data.job)?.reload());
  follow();
  return {node};
}

// The queue beside every place: what runs, waits and was done, from whatever device it was asked for.
import {send} from './api.js';
import {el, fail, iconButton, plural, when} from './dom.js';
import {hear, on} from './events.js';
import {cancel, isOpen, newestJobs, openJobs, store} from './store.js';

const VERBS = {'generate': 'Draw', 'compare': 'Compare', 'score': 'Score', 'train lora': 'Train a LoRA',
  'train embedding': 'Train a word', 'lora merge': 'Merge LoRAs', 'lora convert': 'Convert a LoRA', 'lora bake': 'Bake LoRAs',
  'experiment run': 'Experiment', 'experiment tune': 'Tune an experiment', 'experiment report': 'Report'};
const STATES = {queued: 'waits', held: 'held', running: 'runs', done: 'done', failed: 'failed', cancelled: 'stopped'};
export const verbName = (verb) => VERBS[verb] ?? verb;

function subject({options}) {
  return options.prompt || options.from || options.data || options.file || (options.loras ?? options.folder ?? []).join?.(', ') || '';
}

export function progressText({progress, state}) {
  if (state !== 'running') return STATES[state];
  if (!progress?.total) return 'begins …';
  return `${progress.stage || 'step'} ${progress.done} of ${progress.total}`;
}

function showBar(bar, job) {
  bar.hidden = job.state !== 'running';
  bar.max = job.progress?.total || 1;
  if (job.progress?.total) bar.value = job.progress.done;
  else bar.removeAttribute('value');
}

function item(job) {
  const text = el('small', {}, isOpen(job) ? progressText(job) : `${STATES[job.state]} ${job.ended_ms ? when(job.ended_ms) : ''}`);
  const bar = el('progress', {'aria-label': `Progress of ${verbName(job.verb)} ${job.id}`});
  showBar(bar, job);
  const buttons = el('div', {class: 'buttons'});
  if (isOpen(job)) buttons.append(iconButton('close', `Stop ${verbName(job.verb)} ${job.id}`, () => cancel(job.id).catch(fail)));
  if (job.state === 'held') buttons.append(el('button', {type: 'button', onclick: () => send(`jobs/${job.id}/release`).catch(fail)}, 'Let it run'));
  const again = ['generate', 'compare'].includes(job.verb);
  if (!isOpen(job) && again)
    buttons.append(el('button', {type: 'button', class: 'quiet', 'aria-label': `Settings of ${verbName(job.verb)} ${job.id} into the form`,
      onclick: () => hear('take:' + job.verb, job.options)}, 'Settings'));
  const node = el('li', {class: `job ${job.state}`, 'data-job': job.id},
    el('div', {}, el('strong', {}, verbName(job.verb)), el('p', {class: 'subject'}, subject(job)), text, bar,
      job.error && el('p', {class: 'wrong'}, job.error.message), job.held_because && el('p', {class: 'wrong'}, job.held_because)), buttons);
  return {node, text, bar};
}

export function mountQueue(aside, opener) {
  const open = el('ol'), done = el('ol'), nothing = el('p', {class: 'empty'}, 'Nothing runs or waits.');
  const hold = el('button', {type: 'button', onclick: () => send(store.held ? 'queue/release' : 'queue/hold').catch(fail)});
  const title = el('h2', {tabIndex: -1}, 'Queue');
  const items = new Map();
  const toggle = (wanted = aside.hidden) => {
    aside.hidden = !wanted;
    opener.setAttribute('aria-expanded', String(wanted));
    (wanted ? title : opener).focus();
  };
  aside.append(el('div', {class: 'line'}, title, hold, iconButton('close', 'Close the queue', () => toggle(false))),
    nothing, open, el('h3', {}, 'Done'), done);
  aside.addEventListener('keydown', (event) => { if (event.key === 'Escape') toggle(false); });
  const draw = () => {
    const waiting = openJobs(), over = newestJobs().filter((job) => !isOpen(job)).slice(0, 30);
    items.clear();
    const nodes = (jobs) => jobs.map((job) => { items.set(job.id, item(job)); return items.get(job.id).node; });
    open.replaceChildren(...nodes(waiting));
    done.replaceChildren(...nodes(over));
    nothing.hidden = waiting.length > 0;
    nothing.textContent = store.held ? 'The queue is held: nothing begins until you let it go.' : 'Nothing runs or waits.';
    hold.textContent = store.held ? 'Let the queue go' : 'Hold the queue';
    title.textContent = waiting.length ? `Queue: ${plural(waiting.length, 'job')}` : 'Queue';
  };
  on('changed:jobs', draw);
  on('progress', (job) => {
    const shown = items.get(job.id);
    if (!shown) return;
    shown.text.textContent = progressText(job);
    showBar(shown.bar, job);
  });
  draw();
  return {toggle};
}

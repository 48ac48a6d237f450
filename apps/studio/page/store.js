// What the page knows of the studio: verbs with their settings, files, jobs. Views are told when it changes.
import {ask, send} from './api.js';
import {later} from './dom.js';
import {hear, on} from './events.js';

export const store = {verbs: [], models: [], loras: [], embeddings: [], vaes: [], unets: [], folders: [], jobs: new Map(), held: false, status: {}};

export const settingsOf = (verb) => store.verbs.find((one) => one.verb === verb)?.settings ?? {};
export const isOpen = (job) => ['queued', 'running', 'held'].includes(job.state);
export const openJobs = () => [...store.jobs.values()].filter(isOpen).sort((a, b) => a.id - b.id);
export const newestJobs = () => [...store.jobs.values()].sort((a, b) => b.id - a.id);

// Views listen with on('changed:jobs'), on('changed:files').
const changed = (what) => hear('changed:' + what, store);

export async function loadFiles() {
  const names = ['models', 'loras', 'embeddings', 'vaes', 'unets', 'folders'];
  const lists = await Promise.all(names.map((name) => ask(name)));
  names.forEach((name, i) => { store[name] = lists[i]; });
  changed('files');
}

export async function loadJobs() {
  const {jobs, held} = await ask('jobs?limit=200');
  store.jobs = new Map(jobs.map((job) => [job.id, job]));
  store.held = held;
  changed('jobs');
}

// "null" is among what is taken and means that nothing is said: an empty box.
function plainSetting(setting) {
  const type = Array.isArray(setting.type) ? setting.type.find((one) => one !== 'null') : setting.type;
  return {...setting, type, ...(setting.enum ? {enum: setting.enum.filter((one) => one !== null)} : {})};
}

export async function loadAll() {
  const [verbs, status] = await Promise.all([ask('verbs'), ask('status'), loadFiles(), loadJobs()]);
  store.verbs = verbs.map((verb) => ({...verb,
    settings: Object.fromEntries(Object.entries(verb.settings).map(([name, setting]) => [name, plainSetting(setting)]))}));
  store.status = status;
}

async function reload(id) {
  store.jobs.set(id, await ask('jobs/' + id));
  changed('jobs');
}

const filesSoon = later(300, () => loadFiles().catch(() => {}));

on('job', (data) => {
  const known = store.jobs.get(data.job);
  if (known) known.state = data.state;
  reload(data.job).catch(() => {});
  if (data.state === 'done' && !['generate', 'compare', 'score'].includes(data.verb)) filesSoon();
});
on('step', (data) => {
  const job = store.jobs.get(data.job);
  if (!job) return;
  job.state = 'running';
  job.progress = {stage: data.stage, done: data.done, total: data.total};
  hear('progress', job);
});
on('notice', (data) => {
  const job = store.jobs.get(data.job);
  if (job && !job.notices.includes(data.text)) job.notices.push(data.text);
});
on('queue', (data) => {
  store.held = data.held;
  changed('jobs');
});
on('resync', () => loadJobs().catch(() => {}));

export async function submit(verb, options, previewEvery = 0) {
  const job = await send(`jobs/${verb.replaceAll(' ', '-')}` + (previewEvery ? `?preview_every=${previewEvery}` : ''), options);
  if (!store.jobs.has(job.id)) store.jobs.set(job.id, job);
  changed('jobs');
  return job;
}
export const stopping = new Set();  // jobs that were told to end: what they still show is not wanted
export function cancel(id) {
  stopping.add(id);
  return send(`jobs/${id}/cancel`);
}

// The job once it is over.
export function ended(id) {
  return new Promise((resolve) => {
    const look = () => {
      const job = store.jobs.get(id);
      if (job && !isOpen(job) && job.ended_ms) resolve(job);
    };
    on('changed:jobs', look);
    look();
  });
}

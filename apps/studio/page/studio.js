// The studio's page: a form that draws, what happens meanwhile, and the pictures. Every text from elsewhere is set as text.
const $ = (id) => document.getElementById(id);
const form = $('draw');
let running = null;  // number of the job that is shown

// The token has become a cookie; the address need not show it.
if (location.search) history.replaceState(null, '', '/');

async function ask(path, options = {}) {
  const answer = await fetch('/api/v1/' + path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body;
}

const send = (path, body = {}) =>
  ask(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});

function say(text) { $('status').textContent = text; }
function fail(error) { $('error').textContent = error.message; }

function fillSelect(select, items, first) {
  select.replaceChildren(new Option(first, ''));
  for (const item of items) if (!item.fault) select.append(new Option(item.name, item.reference));
}

async function fillForm() {
  const [verbs, models, loras] = await Promise.all([ask('verbs'), ask('models'), ask('loras')]);
  const settings = verbs.find((verb) => verb.verb === 'generate').settings;
  for (const name of ['steps', 'cfg_scale', 'batch_count']) {
    const field = form.elements[name], setting = settings[name];
    field.min = setting.minimum;
    field.max = setting.maximum;
    field.value = setting.default;
    field.title = setting.description;
  }
  fillSelect(form.elements.model, models, 'the bundled miniature');
  fillSelect(form.elements.lora, loras, 'none');
}

function settingsOfForm() {
  const settings = {prompt: form.elements.prompt.value};
  if (form.elements.negative_prompt.value) settings.negative_prompt = form.elements.negative_prompt.value;
  if (form.elements.model.value) settings.model = form.elements.model.value;
  if (form.elements.lora.value) settings.lora = [form.elements.lora.value];
  if (form.elements.seed.value) settings.seed = form.elements.seed.value;  // as text: numbers end at 2^53 here
  for (const name of ['steps', 'cfg_scale', 'batch_count']) settings[name] = form.elements[name].valueAsNumber;
  return settings;
}

function tile(picture) {
  const item = document.createElement('li');
  const base = '/api/v1/pictures/' + picture.name.split('/').map(encodeURIComponent).join('/');
  if (picture.damage) {
    const text = document.createElement('p');
    text.className = 'damaged';
    text.textContent = 'damaged: ' + picture.damage;
    item.append(text);
    return item;
  }
  const link = document.createElement('a'), image = new Image();
  link.href = base + '/image';
  image.src = base + '/thumbnail';
  image.alt = picture.prompt;
  image.loading = 'lazy';
  link.append(image);
  const text = document.createElement('p');
  text.textContent = picture.prompt + (picture.seed ? ' · seed ' + picture.seed : '');
  item.append(link, text);
  return item;
}

async function showPictures() {
  const page = await ask('pictures?limit=60');
  $('pictures').replaceChildren(...page.pictures.map(tile));
  $('empty').hidden = page.total > 0;
}

function showJob(job) {
  const active = job && (job.state === 'queued' || job.state === 'running' || job.state === 'held');
  $('cancel').disabled = !active;
  $('progress').hidden = !active;
  if (active) return;
  $('preview').replaceChildren();
  running = null;
}

const on = {
  job(data) {
    if (running === null && (data.state === 'queued' || data.state === 'running')) running = data.job;
    if (data.job !== running) return;
    say(`${data.verb} ${data.job}: ${data.state}`);
    if (data.error) fail({message: data.error});
    showJob(data);
  },
  step(data) {
    if (data.job !== running) return;
    $('progress').max = data.total;
    $('progress').value = data.done;
    $('progress').title = `${data.stage} ${data.done} of ${data.total}`;
  },
  notice(data) {
    if (data.job !== running) return;
    const item = document.createElement('li');
    item.textContent = data.text;
    $('notices').append(item);
  },
  preview(data) {
    if (data.job !== running) return;
    const image = new Image();
    image.alt = 'preview';
    image.onload = () => { if (running === data.job) $('preview').replaceChildren(image); };
    image.src = `/api/v1/jobs/${data.job}/preview?step=${data.step}&picture=${data.picture}`;
  },
  picture() { showPictures().catch(fail); },
  resync() { start().catch(fail); },
};

// One stream a browser, whatever the number of pages: who has the lock listens and tells the others.
const channel = new BroadcastChannel('negativa-events');
const hear = (type, data) => on[type]?.(data);
channel.onmessage = (message) => hear(message.data.type, message.data.data);
function listen() {
  const source = new EventSource('/api/v1/events');
  source.onopen = () => say('ready');
  source.onerror = () => say('the studio does not answer; trying again');
  for (const type of [...Object.keys(on), 'loss', 'validation', 'checkpoint', 'queue'])
    source.addEventListener(type, (event) => {
      const data = JSON.parse(event.data);
      channel.postMessage({type, data});
      hear(type, data);
    });
  return new Promise(() => {});  // as long as the page is there
}

async function start() {
  const {jobs} = await ask('jobs?limit=20');
  const current = jobs.findLast((job) => job.state === 'running') ?? jobs.findLast((job) => job.state === 'queued');
  running = current ? current.id : null;
  if (current) showJob(current);
  await showPictures();
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  $('error').textContent = '';
  $('notices').replaceChildren();
  try {
    const job = await send('jobs/generate?preview_every=5', settingsOfForm());
    running ??= job.id;
    say(`generate ${job.id}: ${job.state}`);
    showJob(job);
  } catch (error) {
    fail(error);
  }
});
$('cancel').addEventListener('click', () => { if (running !== null) send(`jobs/${running}/cancel`).catch(fail); });

say('ready');
fillForm().then(start).catch(fail);
navigator.locks.request('negativa-events', listen);

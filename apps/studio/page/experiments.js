// Experiments: what can be run, how far runs have come by stage and arm, the report in place.
import {ask, asker} from './api.js';
import {about, el, fail, later, plural} from './dom.js';
import {on} from './events.js';
import {progressText} from './queue.js';
import {mountRejects} from './rejects.js';
import {cancel, store, submit} from './store.js';

const part = encodeURIComponent;
const reportUrl = (run) => `/api/v1/runs/${part(run)}/files/report.html`;

function share(done, total, name) {
  return el('div', {class: 'share'}, el('span', {}, name), el('progress', {max: total || 1, value: done, 'aria-label': name}), el('span', {class: 'muted'}, `${done} of ${total}`));
}

const STAGES = {'set-picture': 'Pictures to learn from', 'set': 'Sets', 'lora': 'LoRAs', 'embedding': 'Embeddings', 'picture': 'Pictures of the arms', 'metrics': 'Measured'};

// stages: [{stage, whole, missing}]; arms: [{arm, drawn, measured, planned}].
function progressOf({stages, arms}) {
  return [stages.length && el('h3', {}, 'By stage'), ...stages.map((one) => share(one.whole, one.whole + one.missing + one.damaged, STAGES[one.stage] ?? one.stage)),
    arms.length && el('h3', {}, 'By arm'), ...arms.map((one) => share(one.drawn, one.planned, one.arm))].filter(Boolean);
}

function actionsFor(run, reload) {
  const job = run.job && store.jobs.get(run.job.id), button = (text, onclick, props = {}) => el('button', {type: 'button', onclick, ...props}, text);
  if (run.job) return [button('Pause', () => cancel(run.job.id).catch(fail)), job && el('span', {class: 'muted'}, progressText(job))];
  return [button('Report anew', () => submit('experiment report', {run: run.reference}).then(reload).catch(fail)),
    run.report && el('a', {class: 'button', href: reportUrl(run.name), target: '_blank'}, 'Report in a window of its own')];
}

async function detail(run, reload) {
  const status = run.begun ? await ask('runs/' + part(run.name)) : {stages: [], arms: []};
  return [el('h2', {}, run.name), el('div', {class: 'actions'}, ...actionsFor(run, reload).filter(Boolean)),
    el('p', {class: 'muted'}, status.finished ? 'Finished.' : run.job ? 'Goes on.' : 'Not finished; start it again and it does what is missing.'),
    status.finished ? el('details', {}, el('summary', {}, 'How far it came'), el('div', {class: 'host'}, ...progressOf(status))) : el('div', {class: 'host'}, ...progressOf(status))];
}

function starter(reload) {
  const file = el('select', {id: 'experiment-file'}), name = el('input', {id: 'experiment-name', placeholder: 'the file\'s', autocomplete: 'off'});
  const wrong = el('p', {class: 'wrong', role: 'alert'}), forecast = el('p', {class: 'forecast', id: 'experiment-forecast'}), question = asker();
  const options = () => ({file: file.value, ...(name.value.trim() ? {out: name.value.trim()} : {})});
  const tell = later(400, async () => {
    if (!file.value) return;
    try {
      const {result} = await question('forecast/experiment-run', options());
      forecast.textContent = [plural(result.arms.length, 'arm'), plural(result.arms.reduce((sum, arm) => sum + arm.pictures, 0), 'picture'), about(result.seconds)].join(', ');
      wrong.textContent = '';
    } catch (error) {
      if (error.name !== 'AbortError') wrong.textContent = error.message;
    }
  });
  const fill = async () => {
    const files = await ask('experiments');
    file.replaceChildren(...files.map((one) => new Option(one.replace(/^(files\/)?experiments\//, ''), one)));
    tell();
  };
  file.addEventListener('change', tell);
  name.addEventListener('input', tell);
  const node = el('form', {class: 'panel', 'aria-label': 'Start an experiment', onsubmit: async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    try {
      await submit('experiment run', options());
      await reload();
    } catch (error) {
      wrong.textContent = error.message;
    }
  }}, el('h2', {}, 'Run an experiment'), el('div', {class: 'field'}, el('label', {for: 'experiment-file'}, 'Experiment'), file),
  el('div', {class: 'field'}, el('label', {for: 'experiment-name'}, 'Name of the run'), name), forecast, wrong,
  el('button', {type: 'submit', class: 'primary', 'aria-describedby': 'experiment-forecast'}, 'Run'));
  return {node, fill};
}

export async function mount(root) {
  if (!store.verbs.some((verb) => verb.verb === 'experiment run')) {
    root.append(el('div', {class: 'panel'}, el('h2', {}, 'Experiments'), el('p', {}, 'This studio cannot run experiments; the command line can: negativa experiment run FILE.toml.')));
    return;
  }
  const list = el('ul', {class: 'files'}), about = el('section', {class: 'panel', 'aria-label': 'The chosen run'}), empty = el('div', {class: 'empty'}, el('p', {}, 'No run yet. When one is started, how far it has come by stage and arm, and then its report, stand here.'));
  const listed = el('div', {class: 'panel'}, el('h2', {}, 'Runs'), list);
  const frame = el('div', {hidden: true});  // what is in it is made when there is a report: an empty one takes 70 ms
  let runs = [], chosen = null, framed = '';
  const showReport = (run) => {
    const wanted = run.report && !run.job ? run.name : '';
    if (wanted === framed) return;
    framed = wanted;
    frame.hidden = !wanted;
    frame.replaceChildren(...(wanted ? [el('iframe', {class: 'report', title: 'Report of the run', src: reportUrl(wanted)})] : []));
  };
  const choose = async (run) => {
    chosen = run.name;
    draw();
    about.replaceChildren(...await detail(run, () => load()));
    about.hidden = false;
    showReport(run);
  };
  const draw = () => {
    empty.hidden = runs.length > 0;
    listed.hidden = runs.length === 0;
    about.hidden = runs.length === 0;
    list.replaceChildren(...runs.map((run) => el('li', {}, el('button', {type: 'button', 'aria-pressed': String(run.name === chosen), onclick: () => choose(run).catch(fail)},
      el('span', {class: 'grow'}, run.name), el('small', {}, run.job ? run.job.state : run.report ? 'has a report' : '')))));
  };
  const load = async (wanted = chosen) => {
    runs = await ask('runs');
    chosen = wanted;
    draw();
    const run = runs.find((one) => one.name === chosen) ?? runs[0];
    if (run) await choose(run);
  };
  const begin = starter(() => load()), rejects = mountRejects(load), soon = later(800, () => { if (!root.hidden) load().catch(fail); });
  root.append(el('div', {class: 'loras-view experiments-view'}, el('div', {class: 'stage'}, listed, el('div', {class: 'starters'}, begin.node, rejects.node)), el('div', {class: 'stage'}, empty, about, frame)));
  on('job', (data) => { if (data.verb.startsWith('experiment')) soon(); });
  on('picture', (data) => { if (store.jobs.get(data.job)?.verb === 'experiment run') soon(); });
  await Promise.all([begin.fill(), rejects.fill()]);
  await load();
  return () => { soon(); rejects.fill().catch(fail); };
}

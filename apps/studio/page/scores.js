// Whether the pictures of one job are better than those of another, measured.
import {el, when} from './dom.js';
import {on} from './events.js';
import {isOpen, newestJobs, submit} from './store.js';

const shown = (value) => value === undefined || value === null ? '' : Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();

// A row a metric, a column a folder; the better one of two stands out.
function resultTable({sets, metrics, first_lines: lines = [], notes = []}) {
  const head = el('tr', {}, el('th', {scope: 'col'}, 'metric'), ...sets.map((set) => el('th', {scope: 'col'}, set.folder.replace('pictures/', 'job '))), el('th', {scope: 'col'}, 'better'));
  const rows = Object.entries(metrics).filter(([name]) => sets.some((set) => set.metrics[name])).map(([name, {better, unit}]) => {
    const means = sets.map((set) => set.metrics[name]?.mean), known = means.filter((mean) => mean !== undefined);
    const best = better === 'lower' ? Math.min(...known) : better === 'higher' ? Math.max(...known) : NaN;
    return el('tr', {}, el('th', {scope: 'row'}, name.replaceAll('_', ' ') + (unit ? ` (${unit})` : '')),
      ...means.map((mean) => el('td', {class: known.length > 1 && mean === best ? 'best' : ''}, shown(mean))), el('td', {}, better === '-' ? '' : better));
  });
  return [...lines.map((line) => el('p', {}, line)), el('div', {class: 'scroll', tabIndex: 0, role: 'group', 'aria-label': 'Scores'},
    el('table', {class: 'heat'}, el('thead', {}, head), el('tbody', {}, rows))), ...notes.map((line) => el('p', {class: 'muted'}, line))];
}

export function mountScores() {
  const first = el('select', {'aria-label': 'Pictures to start from'}), second = el('select', {'aria-label': 'Pictures to compare with them'});
  const wrong = el('p', {class: 'wrong', role: 'alert'}), answer = el('div', {class: 'answer', role: 'status'});
  const folder = (job) => `pictures/${String(job.id).padStart(6, '0')}`;
  const fill = () => {
    const jobs = newestJobs().filter((job) => job.verb === 'generate' && job.state === 'done' && job.result?.pictures?.length);
    const name = (job) => `${job.id}: ${(job.options.prompt || 'again').slice(0, 40)}, ${when(job.ended_ms)}`;
    for (const select of [first, second]) {
      const kept = select.value;
      select.replaceChildren(new Option(select === first ? 'choose' : 'none', ''), ...jobs.map((job) => new Option(name(job), folder(job))));
      select.value = kept;
    }
    const score = newestJobs().find((job) => job.verb === 'score');
    if (!score) return;
    if (isOpen(score)) answer.replaceChildren(el('p', {}, 'Measuring …'));
    else if (score.error) answer.replaceChildren(el('p', {class: 'wrong'}, score.error.message));
    else if (score.result) answer.replaceChildren(...resultTable(score.result));
  };
  const node = el('form', {class: 'panel', 'aria-label': 'Score pictures', onsubmit: async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    const folders = [first.value, second.value].filter(Boolean);
    if (!folders.length) { wrong.textContent = 'Choose pictures first.'; return; }
    try {
      await submit('score', {folder: folders});
    } catch (error) {
      wrong.textContent = error.message;
    }
  }}, el('h2', {}, 'Score'), el('p', {class: 'muted'}, 'What a judge model makes of the pictures of a drawing, beside those of another.'),
  el('div', {class: 'two'}, first, second), wrong, el('div', {class: 'actions'}, el('button', {type: 'submit'}, 'Measure')), answer);
  on('changed:jobs', fill);
  fill();
  return node;
}

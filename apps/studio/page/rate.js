// Two pictures, which is better? Nothing that comes here tells whose they are.
import {add, el} from './dom.js';

const ANSWERS = [
  ['left', 'Left is better', '←', ['ArrowLeft']],
  ['right', 'Right is better', '→', ['ArrowRight']],
  ['equal', 'Equally good', '↑', ['ArrowUp', '=']],
  ['both_bad', 'Both are bad', '↓', ['ArrowDown', 'b']],
];
const UNDO_KEYS = ['Backspace', 'u'];

let state = null;     // what the studio says; its pair is the one on the page
let ready = false;    // both pictures are painted and nothing is being sent
let painted_ms = 0;   // when they were, by a clock that never goes back

const images = ['Left', 'Right'].map((side) => el('img', {alt: `${side} picture`, draggable: false}));
const prompt = el('p', {class: 'prompt', dir: 'auto'});
const sides = el('div', {class: 'sides'}, images.map((image) => el('figure', {class: 'side'}, image)));
const buttons = ANSWERS.map(([answer, text, key, keys]) =>
  el('button', {type: 'button', 'aria-keyshortcuts': keys[0], onclick: () => give(answer)}, text, el('kbd', {'aria-hidden': 'true'}, key)));
const undoButton = el('button', {type: 'button', class: 'quiet', 'aria-keyshortcuts': UNDO_KEYS[0], onclick: () => undo()},
  'Take the last answer back', el('kbd', {'aria-hidden': 'true'}, '⌫'));
const trouble = el('div', {class: 'trouble', role: 'alert'});
const answers = el('div', {class: 'answers', role: 'group', 'aria-label': 'Which is better?'}, buttons, undoButton);
const over = el('div', {class: 'over'});
const main = document.getElementById('main');

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch('/api/v1/rating' + path, body && {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  } catch {
    throw new Error('negativa rate does not answer. Start it again and open the address it prints: it goes on where it was.');
  }
  if (answer.status === 401) throw new Error('negativa rate was started anew: open the address it printed last.');
  const said = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.error.message), {status: answer.status});
  return said;
}

function say(text) {
  document.getElementById('said').textContent = text;
}

function enable() {
  for (const button of buttons) button.setAttribute('aria-disabled', String(!ready));
  undoButton.setAttribute('aria-disabled', String(!(state?.can_undo && (ready || state.over))));
}

const frame = () => new Promise((done) => requestAnimationFrame(done));

// One after the other, always the left one first; shown together, in one frame.
async function paint() {
  for (const [image, name] of [[images[0], state.left], [images[1], state.right]]) {
    image.src = `/api/v1/rating/pictures/${name}`;
    await image.decode();
    image.classList.toggle('small', image.naturalWidth < 400);
  }
  sides.classList.add('painted');
  await frame();
  await frame();
}

function showOver() {
  main.replaceChildren(over);
  over.replaceChildren();
  add(over, el('h2', {tabIndex: -1}, `All ${state.pairs} pairs are rated. Thank you.`),
    state.verdict ? [el('p', {}, 'The verdict is in the report:'), el('pre', {}, state.verdict)] : el('p', {}, 'The terminal has the verdict; the answers are kept beside the folders, in ratings.jsonl.'),
    undoButton, trouble);
  over.querySelector('h2').focus();
  say(over.querySelector('h2').textContent);
}

async function show(now) {
  state = now;
  trouble.replaceChildren();
  const place = Math.min(state.answered + 1, state.pairs);
  document.getElementById('progress').textContent = state.over ? `${state.pairs} of ${state.pairs}` : `${place} of ${state.pairs}`;
  document.getElementById('done').value = state.answered / state.pairs;
  if (state.over) {
    showOver();
    return enable();
  }
  if (!sides.isConnected) main.replaceChildren(prompt, sides, answers, trouble);
  if (!undoButton.isConnected || undoButton.parentNode !== answers) answers.append(undoButton);
  prompt.textContent = state.prompt;
  enable();
  await paint();
  painted_ms = performance.now();
  ready = true;
  enable();
  say(`Pair ${place} of ${state.pairs}: ${state.prompt}`);
}

// Hides the pair, sends what was said of it, shows what comes then. Of a pair that is not the studio's any more, as of an answer
// whose confirmation was lost or of another tab, the studio's is shown.
async function turn(path, body) {
  ready = false;
  sides.classList.remove('painted');
  enable();
  try {
    let next;
    try {
      next = await ask(path, body);
    } catch (error) {
      if (error.status !== 409) throw error;
      next = await ask('');
    }
    await show(next);
  } catch (error) {
    trouble.replaceChildren(el('p', {}, error.message), el('button', {type: 'button', onclick: () => turn('')}, 'Try again'));
    if (!trouble.isConnected) main.append(trouble);
  }
}

function give(answer) {
  if (!ready) return;
  turn('/answer', {showing: state.showing, answer, taken_ms: Math.round(performance.now() - painted_ms)});
}

function undo() {
  if (!state?.can_undo || !(ready || state.over)) return;
  state.over = false;  // once
  turn('/undo', {showing: state.showing ?? ''});
}

// A key that is held says the same again and again, and would answer pairs that nobody has looked at.
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const found = ANSWERS.find(([, , , keys]) => keys.includes(event.key));
  const undoes = UNDO_KEYS.includes(event.key);
  if (event.repeat && (found || undoes || event.key === 'Enter' || event.key === ' ')) return event.preventDefault();
  if (!found && !undoes) return;
  event.preventDefault();
  if (found) give(found[0]);
  else undo();
});

if (location.search) history.replaceState(null, '', '/');  // the token has become a cookie
turn('');

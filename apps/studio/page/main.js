// The page: places to go to, the queue beside them, the one stream of events.
import {add, el, fail, icon, iconButton} from './dom.js';
import {begin, hear, on} from './events.js';
import {mountQueue} from './queue.js';
import {loadAll, openJobs, store} from './store.js';

const PLACES = [
  ['draw', 'Draw'], ['gallery', 'Gallery'], ['compare', 'Compare'], ['train', 'Train'], ['loras', 'LoRAs'], ['experiments', 'Experiments'],
];
const views = new Map();  // name -> {node, show(rest)}

function navigation() {
  add(document.getElementById('places'), PLACES.map(([name, title]) =>
    el('a', {href: '#/' + name, id: 'to-' + name}, icon(name), el('span', {}, title))));
}

async function viewOf(name) {
  if (views.has(name)) return views.get(name);
  const node = el('section', {class: 'view', id: 'view-' + name, 'aria-labelledby': 'title-' + name, hidden: true},
    el('h1', {id: 'title-' + name}, PLACES.find(([one]) => one === name)[1]));
  const view = {node, show: () => {}};
  views.set(name, view);
  document.getElementById('main').append(node);
  try {
    const module = await import(`./${name}.js`);
    view.show = (await module.mount(node)) ?? view.show;
  } catch (error) {  // a place that could not be made is made anew when it is asked for again
    views.delete(name);
    node.remove();
    throw error;
  }
  return view;
}

// "#/gallery/000001/0000.png": a place and what is shown there.
async function go() {
  const [name, ...rest] = location.hash.slice(2).split('/');
  const place = PLACES.find(([one]) => one === name) ?? PLACES[0];
  document.title = `${place[1]} · negativa studio`;
  for (const [one] of PLACES) {
    const link = document.getElementById('to-' + one);
    if (one === place[0]) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const asked = location.hash, view = await viewOf(place[0]);
  if (location.hash !== asked) return;  // another place was asked for meanwhile
  for (const one of views.values()) one.node.hidden = one !== view;
  view.show(rest.map(decodeURIComponent));
}

function tools() {
  const state = el('span', {id: 'connection', role: 'status'});
  const count = el('span', {class: 'count', hidden: true});
  const open = iconButton('queue', 'Queue', () => queue.toggle(), {id: 'open-queue', 'aria-expanded': 'false', 'aria-controls': 'queue'});
  const queue = mountQueue(document.getElementById('queue'), open);
  open.append(count);
  add(document.getElementById('tools'), state, open);
  const show = () => {
    const jobs = openJobs();
    count.hidden = jobs.length === 0;
    count.textContent = jobs.length;
    open.setAttribute('aria-label', jobs.length ? `Queue, ${jobs.length} open` : 'Queue');
  };
  on('changed:jobs', show);
  on('connection', ({open: is}) => { state.textContent = is ? '' : 'The studio does not answer; trying again …'; });
  show();
}

// Settings for a form that is not there yet: it is made first.
function forms() {
  for (const [event, name] of [['take:generate', 'draw'], ['take:compare', 'compare']])
    on(event, (settings) => { if (!views.has(name)) viewOf(name).then(() => hear(event, settings)).catch(fail); });
}

async function start() {
  if (location.search) history.replaceState(null, '', '/' + location.hash);  // the token has become a cookie
  navigation();
  tools();
  forms();
  await loadAll();
  document.getElementById('brand').title = `negativa ${store.status.version}`;
  begin();
  addEventListener('hashchange', () => go().catch(fail));
  await go();
}

start().catch(fail);

// What happens in the studio. One stream a browser, whatever the number of pages: the page that has the lock listens and tells
// the others.
const TYPES = ['job', 'step', 'notice', 'preview', 'picture', 'loss', 'validation', 'checkpoint', 'queue', 'resync'];
const handlers = new Map();
const channel = new BroadcastChannel('negativa-events');

// types: 'job step' …; handler(data, type). Also 'connection' with {open}.
export function on(types, handler) {
  for (const type of types.split(' ')) {
    if (!handlers.has(type)) handlers.set(type, []);
    handlers.get(type).push(handler);
  }
}

export function hear(type, data) {
  for (const handler of handlers.get(type) ?? []) handler(data, type);
}

function tell(type, data) {
  channel.postMessage({type, data});
  hear(type, data);
}

function listen() {
  const source = new EventSource('/api/v1/events');
  let lost = false;
  source.onopen = () => {
    tell('connection', {open: true});
    if (lost) tell('resync', {});
    lost = false;
  };
  source.onerror = () => {
    lost = true;
    tell('connection', {open: false});
  };
  for (const type of TYPES) source.addEventListener(type, (event) => tell(type, JSON.parse(event.data)));
  return new Promise(() => {});  // as long as the page is there
}

export function begin() {
  channel.onmessage = (message) => hear(message.data.type, message.data.data);
  navigator.locks.request('negativa-events', listen);
}

// What a form was left with, kept by the studio: it survives a reload and is there on another device.
import {ask, send} from './api.js';

export async function keptDraft(form) {
  return (await ask('drafts/' + form)).draft ?? {};
}

// Writes what is given when no more comes for a moment, or when the page goes.
export function draftKeeper(form) {
  let waiting = null, timer = 0;
  const write = () => {
    clearTimeout(timer);
    if (waiting) send('drafts/' + form, waiting, {keepalive: true}).catch(() => {});
    waiting = null;
  };
  addEventListener('pagehide', write);
  return (values) => {
    waiting = values;
    clearTimeout(timer);
    timer = setTimeout(write, 400);
  };
}

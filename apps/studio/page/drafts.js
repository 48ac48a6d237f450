// What a form was left with, kept by the studio: it survives a reload and is there on another device.
import {ask, send} from './api.js';

export async function keptDraft(form) {
  return (await ask('drafts/' + form)).draft ?? {};
}

// Fills a form that is shown already: what a person typed while the draft was on its way wins, and so do settings that came whole.
export async function fillFromDraft(name, form, keep) {
  const draft = await keptDraft(name), typed = form.values();
  if (keep.hasBegun()) return;
  form.set({...draft, ...typed});
  keep.begin();
  if (Object.keys(typed).length) keep(form.values());
}

// Writes what is given when no more comes for a moment, or when the page goes; with `waits` not before begin(), when the draft that
// is there was read.
export function draftKeeper(form, waits = false) {
  let waiting = null, timer = 0, begun = !waits;
  const write = () => {
    clearTimeout(timer);
    if (waiting) send('drafts/' + form, waiting, {keepalive: true}).catch(() => {});
    waiting = null;
  };
  addEventListener('pagehide', write);
  const keep = (values) => {
    if (!begun) return;
    waiting = values;
    clearTimeout(timer);
    timer = setTimeout(write, 400);
  };
  keep.begin = () => { begun = true; };
  keep.hasBegun = () => begun;
  return keep;
}

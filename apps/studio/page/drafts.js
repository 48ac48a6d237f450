// What a form was left with, kept by the studio: it survives a reload and is there on another device.
import {ask, send} from './api.js';
import {later} from './dom.js';

export async function keptDraft(form) {
  return (await ask('drafts/' + form)).draft ?? {};
}

export const draftKeeper = (form) => later(400, (values) => send('drafts/' + form, values).catch(() => {}));

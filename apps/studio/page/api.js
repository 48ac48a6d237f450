// Questions to the studio. Errors carry the setting they are about.
export class ApiError extends Error {
  constructor(error) {
    super(error.message);
    this.kind = error.kind;
    this.field = error.field;
  }
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch('/api/v1/' + path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError({kind: 'machine', message: 'The studio does not answer. Is negativa studio still running?'});
  }
  const body = await answer.json();
  if (!answer.ok) throw new ApiError(body.error);
  return body;
}

// A body in JSON, or none. Seeds go as text: numbers end at 2^53 here.
export const send = (path, body, options = {}) =>
  ask(path, {method: 'POST', ...(body ? {headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)} : {}), ...options});

export const upload = (path, blob) =>
  ask(path, {method: 'POST', headers: {'Content-Type': 'application/octet-stream'}, body: blob});

// A question that is asked anew while the last one still waits: the older answer is not wanted any more.
export function asker() {
  let running = null;
  return async (path, body) => {
    running?.abort();
    running = new AbortController();
    return send(path, body, {signal: running.signal});
  };
}

const parts = (name) => name.split('/').map(encodeURIComponent).join('/');
export const picturePath = (name) => 'pictures/' + parts(name);
export const imageUrl = (name) => `/api/v1/${picturePath(name)}/image`;
export const thumbnailUrl = (name) => `/api/v1/${picturePath(name)}/thumbnail`;
export const fileUrl = (reference) => '/api/v1/files/' + parts(reference);

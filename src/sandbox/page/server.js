// @ts-check
// Talks to the sandbox: its state, its live events and what the user does (PAGE-API.md).

/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Command} Command */
/** @typedef {{ id: string, name: string, online: boolean }} Bot */
/** @typedef {{ id: string, name: string, username: string, global_name: string | null, moderator: boolean }} Person */
/**
 * @typedef {object} State
 * @property {import('./types.js').User} me
 * @property {Person[]} users
 * @property {{ id: string, name: string }} channel
 * @property {{ id: string, name: string }} guild
 * @property {Bot} bot
 * @property {Command[]} commands
 * @property {Message[]} messages oldest first
 * @property {boolean} older whether there are messages before those
 * @property {number} attachment_limit bytes
 * @property {number} acknowledge_ms
 */
/** @typedef {{ name: string, value: string | number, name_localizations?: import('./types.js').Localizations | null }} Completion */
/**
 * @typedef {{ type: 'hello' }
 *   | { type: 'message.create' | 'message.update', message: Message }
 *   | { type: 'message.delete', id: string }
 *   | { type: 'commands', commands: Command[] }
 *   | { type: 'bot', bot: Bot }
 *   | { type: 'interaction.ack', nonce: string, interaction_id: string, kind: number, message_id: string | null }
 *   | { type: 'interaction.failed', nonce: string, interaction_id: string, reason: string }
 *   | { type: 'modal', nonce: string, interaction_id: string, modal: import('./types.js').Modal }
 *   | { type: 'autocomplete', nonce: string, interaction_id: string, choices: Completion[] }} LiveEvent
 */

/** What went wrong, as a sentence that may be shown. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} [status] of the answer; 0 when there was none
   */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<unknown>} the JSON body; null when there is none
 */
async function request(path, init) {
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Refusal('The sandbox cannot be reached. Is it still running?');
  }
  /** @type {unknown} */
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const text =
    body !== null && typeof body === 'object' && 'error' in body ? String(body.error) : '';
  throw new Refusal(
    text || `The sandbox answered with status ${response.status}.`,
    response.status,
  );
}

/**
 * @param {string} path
 * @param {unknown} body
 */
function post(path, body) {
  return request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/**
 * @param {string | null} user null: the first one
 * @returns {Promise<State>}
 */
export async function fetchState(user) {
  const query = user === null ? '' : `?user=${encodeURIComponent(user)}`;
  return /** @type {State} */ (await request(`/page/state${query}`));
}

/**
 * @param {string} user
 * @param {string} before id of a message
 * @returns {Promise<{ messages: Message[], older: boolean }>} those before it, oldest first
 */
export async function fetchMessages(user, before) {
  const query = new URLSearchParams({ user, before });
  return /** @type {{ messages: Message[], older: boolean }} */ (
    await request(`/page/messages?${query}`)
  );
}

/**
 * @param {string} user
 * @param {File} file
 * @returns {Promise<import('./types.js').Attachment>}
 */
export async function upload(user, file) {
  const form = new FormData();
  form.append('file', file, file.name || 'pasted.png');
  const answer = await request(`/page/uploads?user=${encodeURIComponent(user)}`, {
    method: 'POST',
    body: form,
  });
  return /** @type {import('./types.js').Attachment} */ (answer);
}

/** @param {Record<string, unknown> & { user: string, nonce: string, type: number }} body */
export async function interact(body) {
  await post('/page/interactions', body);
}

/**
 * @param {string} user
 * @param {string} message
 */
export async function dismiss(user, message) {
  await post('/page/dismiss', { user, message_id: message });
}

/** Waits between attempts to connect again, in ms. */
const PAUSES = [250, 500, 1000, 2000, 4000];

/**
 * Keeps a WebSocket to the sandbox open. Each time it opens `onOpen` is called (load the state anew:
 * nothing after that is missed); when it is lost `onLost`.
 * @param {string} user
 * @param {{ onOpen: () => void, onLost: () => void, onEvent: (event: LiveEvent) => void }} handlers
 * @returns {() => void} ends it
 */
export function live(user, handlers) {
  let ended = false;
  let attempt = 0;
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const open = () => {
    clearTimeout(timer);
    const address = new URL(`/page/live?user=${encodeURIComponent(user)}`, location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    const mine = new WebSocket(address);
    socket = mine;
    mine.addEventListener('message', ({ data }) => {
      if (ended || socket !== mine || typeof data !== 'string') return;
      const event = /** @type {LiveEvent} */ (JSON.parse(data));
      if (event.type === 'hello') {
        attempt = 0;
        handlers.onOpen();
      } else handlers.onEvent(event);
    });
    mine.addEventListener('close', () => {
      if (ended || socket !== mine) return;
      socket = null;
      handlers.onLost();
      timer = setTimeout(open, PAUSES[Math.min(attempt, PAUSES.length - 1)]);
      attempt += 1;
    });
  };
  // A laptop that wakes up should not wait for the longest pause.
  const hurry = () => {
    if (socket === null && !ended) open();
  };
  window.addEventListener('online', hurry);
  window.addEventListener('focus', hurry);
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    window.removeEventListener('online', hurry);
    window.removeEventListener('focus', hurry);
    socket?.close();
  };
}

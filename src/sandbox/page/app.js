// @ts-check
// The page: one channel, one bot, a few people to be. Wires the parts to the sandbox.
import { Composer } from './composer.js';
import { h } from './dom.js';
import { Interactions } from './interactions.js';
import { callables, localized, messageCommands } from './invocation.js';
import { keep, recall } from './keep.js';
import { Lightbox } from './lightbox.js';
import { Messages } from './messages.js';
import { showModal } from './modal.js';
import { dismiss, fetchMessages, fetchState, live, Refusal, upload } from './server.js';
import { avatar, displayName, keepTimesCurrent } from './text.js';
import { themeButton } from './theme.js';
import { Flag } from './types.js';
import { messageKeys } from './walk.js';

/** @typedef {import('./server.js').State} State */
/** @typedef {import('./types.js').User} User */

/** Lines kept for arrow-up. */
const HISTORY = 50;

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function part(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page lacks #${id}.`);
  return element;
}

const statusLine = part('status', HTMLParagraphElement);
const statusText = part('status-text', HTMLSpanElement);
const banner = part('banner', HTMLParagraphElement);
const people = part('people', HTMLDivElement);
const scroller = part('scroller', HTMLElement);
const welcome = part('welcome', HTMLElement);
const drop = part('drop', HTMLDivElement);
const list = part('messages', HTMLOListElement);

/** What the sandbox last said; null before the first answer. @type {State | null} */
let state = null;
/** Ends the live connection. @type {() => void} */
let disconnect = () => {};
let connected = false;
/** Numbers the loads of the state: only the newest counts. */
let loads = 0;
/** Numbers the page's own stand-ins for answers to come. */
let standIns = 0;
/** Live events that arrive while the state is loading. @type {import('./server.js').LiveEvent[] | null} */
let held = null;

/** Stand-ins whose interactions are under way. @type {Set<string>} */
const pending = new Set();

const interactions = new Interactions();
const lightbox = new Lightbox();

/** @returns {User} */
function botUser() {
  return { id: state?.bot.id ?? '0', username: state?.bot.name ?? 'bot', bot: true };
}

/** @type {import('./types.js').Surroundings} */
const around = {
  user: (id) => around.people().find((user) => user.id === id),
  people: () => (state ? [...state.users, botUser()] : []),
  channel: () => state?.channel ?? { id: '0', name: 'ylem' },
  press,
  putCommand: (line) => composer.put(line),
  goTo: (id) => void messages.goTo(id),
  enlarge: (picture) => lightbox.open(picture),
  dismiss: (message) => void dismissMessage(message),
  apps: () => (state ? messageCommands(state.commands, navigator.language) : []),
  runApp: (message, command) => void runApp(message, command),
};

const messages = new Messages(
  scroller,
  list,
  part('announcer', HTMLDivElement),
  part('jump', HTMLButtonElement),
  around,
  (before) => fetchMessages(state?.me.id ?? '', before),
);

const composer = new Composer(part('composer', HTMLFormElement), {
  people: () => state?.users ?? [],
  complete,
  upload: uploadFile,
  invoke,
  history,
  remember,
  limit: () => state?.attachment_limit ?? 10 * 1024 * 1024,
  toMessages: messageKeys(list, () => composer.focus()),
});

// --- What the user does ---

/** @param {unknown} error */
const sentence = (error) =>
  error instanceof Refusal ? error.message : 'Something went wrong in this page.';

/** @param {File} file */
function uploadFile(file) {
  return state
    ? upload(state.me.id, file)
    : Promise.reject(new Refusal('The channel is not loaded yet.'));
}

/**
 * @param {import('./types.js').InvocationData} data
 * @returns {Promise<string | null>}
 */
async function invoke(data) {
  const now = state;
  if (!now) return 'The channel is not loaded yet.';
  if (!connected)
    return 'The connection to the sandbox is lost. It is sent again when you press Enter later.';
  return new Promise((resolve) => void follow(now, data, resolve));
}

/**
 * Sends a command and stands in for its answer as long as there is none.
 * @param {State} state
 * @param {import('./types.js').InvocationData} data
 * @param {(refusal: string | null) => void} onItsWay
 */
async function follow(state, data, onItsWay) {
  standIns += 1;
  const id = `waiting-${standIns}`;
  const name = data.name;
  const command = { user: state.me, name, type: 2 };
  const standIn = {
    id,
    author: botUser(),
    content: '',
    timestamp: new Date().toISOString(),
    interaction_metadata: command,
  };
  messages.toEnd();
  try {
    const outcome = await interactions.send(
      { user: state.me.id, type: 2, command: data.id, options: data.options },
      () => {
        // Most answers are here before anyone could read this.
        setTimeout(() => {
          if (pending.has(id)) messages.put({ ...standIn, waiting: 'Sending the command ...' });
        }, 250);
        pending.add(id);
        onItsWay(null);
      },
    );
    pending.delete(id);
    if ('failed' in outcome)
      messages.put({ ...standIn, failure: outcome.failed, flags: Flag.Ephemeral });
    else messages.remove(id);
  } catch (error) {
    onItsWay(sentence(error));
  }
}

/**
 * @param {import('./types.js').InvocationData} data
 * @returns {Promise<import('./field.js').Pick[]>}
 */
async function complete(data) {
  if (!state) return [];
  const outcome = await interactions.send({
    user: state.me.id,
    type: 4,
    command: data.id,
    options: data.options,
  });
  if (!('choices' in outcome))
    throw new Refusal('failed' in outcome ? outcome.failed : 'The bot did not answer.');
  return outcome.choices.map((choice) => ({
    name: localized(choice.name_localizations, navigator.language) ?? choice.name,
    value: choice.value,
  }));
}

/**
 * Sends what was done at a message; what became of it stands under that message.
 * @param {import('./types.js').Message} message
 * @param {{ type: number } & Record<string, unknown>} done
 */
async function act(message, done) {
  if (!state) return;
  messages.warn(message.id, '');
  try {
    const outcome = await interactions.send({ user: state.me.id, ...done });
    if ('failed' in outcome) messages.warn(message.id, outcome.failed);
  } catch (error) {
    messages.warn(message.id, sentence(error));
  }
}

/**
 * @param {import('./types.js').Message} message
 * @param {import('./types.js').Component} component
 * @param {string[]} [values]
 */
function press(message, component, values) {
  return act(message, {
    type: 3,
    message_id: message.id,
    custom_id: component.custom_id,
    ...(values ? { values } : {}),
  });
}

/**
 * A command of a message's menu.
 * @param {import('./types.js').Message} message
 * @param {import('./types.js').Command} command
 */
function runApp(message, command) {
  return act(message, { type: 2, command: command.id, target_id: message.id });
}

/** @param {{ interaction_id: string, modal: import('./types.js').Modal }} event */
function openModal({ interaction_id, modal }) {
  void showModal({
    modal,
    from: state?.bot.name ?? 'the bot',
    around,
    upload: async (file) => (await uploadFile(file)).id,
    async send(fields) {
      if (!state) return 'The channel is not loaded yet.';
      try {
        const outcome = await interactions.send({
          user: state.me.id,
          type: 5,
          interaction_id,
          custom_id: modal.custom_id,
          fields,
        });
        return 'failed' in outcome ? outcome.failed : null;
      } catch (error) {
        return sentence(error);
      }
    },
  });
}

/** @param {import('./types.js').Message} message */
async function dismissMessage(message) {
  if (!state || !/^\d+$/.test(message.id)) {
    messages.remove(message.id);
    composer.focus();
    return;
  }
  try {
    await dismiss(state.me.id, message.id);
    messages.remove(message.id);
    composer.focus();
  } catch (error) {
    messages.warn(message.id, sentence(error));
  }
}

/** @returns {import('./composer.js').Sent[]} */
function history() {
  try {
    /** @type {unknown} */
    const lines = JSON.parse(recall('history') ?? '[]');
    return Array.isArray(lines) ? lines.flatMap(sentOf) : [];
  } catch {
    return [];
  }
}

/**
 * An entry of the history, which may be another version's: none then.
 * @param {unknown} entry the line alone, or with what it does not say
 * @returns {import('./composer.js').Sent[]}
 */
function sentOf(entry) {
  if (typeof entry === 'string') return [{ line: entry }];
  const { line, command, values, files } = /** @type {Record<string, unknown>} */ (entry ?? {});
  if (typeof line !== 'string') return [];
  if (typeof command !== 'string' || !Array.isArray(files)) return [{ line }];
  const texts = Object.entries(values ?? {}).map(([name, text]) => [name, String(text)]);
  return [{ line, command, values: Object.fromEntries(texts), files: files.map(String) }];
}

/** @param {import('./composer.js').Sent} sent */
function remember(sent) {
  const others = history().filter((one) => one.line !== sent.line);
  const entries = [...others, sent].map((one) => (one.command === undefined ? one.line : one));
  keep('history', JSON.stringify(entries.slice(-HISTORY)));
}

// --- What the sandbox says ---

/** @param {import('./server.js').LiveEvent} event */
function take(event) {
  interactions.take(event);
  if (held !== null) {
    held.push(event);
    return;
  }
  if (!state) return;
  switch (event.type) {
    case 'message.create':
    case 'message.update':
      messages.put(event.message);
      refreshWelcome();
      break;
    case 'message.delete':
      messages.remove(event.id);
      refreshWelcome();
      break;
    case 'commands':
      state.commands = event.commands;
      composer.setCommands(callables(event.commands, navigator.language));
      messages.refreshMenus();
      break;
    case 'bot':
      state.bot = event.bot;
      refreshStatus();
      break;
    case 'modal':
      // Another tab of the same person's hears of it too.
      if (interactions.owns(event.nonce)) openModal(event);
      break;
    default:
      break;
  }
}

function refreshWelcome() {
  welcome.hidden = messages.size > 12;
}

function refreshStatus() {
  const online = connected && state?.bot.online === true;
  const name = state?.bot.name ?? 'The bot';
  statusLine.classList.toggle('online', online);
  statusLine.classList.toggle('offline', state !== null && !online);
  statusText.textContent =
    state === null ? 'Connecting ...' : online ? `${name} is online` : `${name} is offline`;
  const text =
    !connected && state !== null
      ? 'The connection to the sandbox is lost. Trying to get it back ...'
      : '';
  banner.textContent = text;
  banner.hidden = text === '';
}

/** Loads everything anew and applies what happened meanwhile. @param {string | null} user */
async function load(user) {
  loads += 1;
  const mine = loads;
  held = [];
  try {
    const fresh = await fetchState(user);
    if (mine !== loads) return;
    if (state && state.me.id !== fresh.me.id) messages.clear();
    state = fresh;
  } catch (error) {
    if (mine !== loads) return;
    held = null;
    banner.textContent = sentence(error);
    banner.hidden = false;
    return;
  }
  const missed = held ?? [];
  held = null;
  interactions.limit = state.acknowledge_ms;
  show(state);
  // The state already holds what came before it; later versions follow in order, so this ends right.
  for (const event of missed) take(event);
}

/** @param {State} now */
function show(now) {
  document.title = `#${now.channel.name} · ${now.bot.name} sandbox`;
  part('channel-name', HTMLSpanElement).textContent = now.channel.name;
  part('welcome-channel', HTMLSpanElement).textContent = `#${now.channel.name}`;
  keep('user', now.me.id);
  showPeople(now);
  messages.reset(now);
  composer.setCommands(callables(now.commands, navigator.language));
  refreshWelcome();
  refreshStatus();
}

/** @param {State} now */
function showPeople(now) {
  const buttons = now.users.map((user) => {
    const chosen = user.id === now.me.id;
    return h(
      'button',
      {
        class: 'person',
        attrs: {
          type: 'button',
          role: 'radio',
          'aria-checked': chosen ? 'true' : 'false',
          tabindex: chosen ? 0 : -1,
          title: `Write as ${displayName(user)}${user.moderator ? ' (moderator)' : ''}`,
        },
        data: { id: user.id },
        on: { click: () => become(user.id) },
      },
      avatar(user),
      h('span', { text: displayName(user) }),
    );
  });
  const focused = people.contains(document.activeElement);
  people.replaceChildren(...buttons);
  if (focused) buttons.find((button) => button.tabIndex === 0)?.focus();
}

people.addEventListener('keydown', (event) => {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by || !state) return;
  event.preventDefault();
  const at = state.users.findIndex((user) => user.id === state?.me.id);
  const next = state.users[(at + by + state.users.length) % state.users.length];
  if (next) become(next.id);
});

/** @param {string} user */
function become(user) {
  if (user === state?.me.id) return;
  disconnect();
  interactions.letGo();
  connect(user);
}

/** @param {string} user */
function connect(user) {
  disconnect = live(user, {
    onOpen() {
      connected = true;
      void load(user);
    },
    onLost() {
      connected = false;
      interactions.letGo();
      refreshStatus();
      // A sandbox that began anew without its memory may not know this person.
      fetchState(user).catch((error) => {
        if (!(error instanceof Refusal) || error.status !== 404 || connected) return;
        disconnect();
        void begin();
      });
    },
    onEvent: take,
  });
}

// --- The page itself ---

// The value of an example ends with a space: the line is whole, and Enter sends it as it stands.
for (const example of document.querySelectorAll('.example')) {
  if (!(example instanceof HTMLButtonElement)) continue;
  example.addEventListener('click', () => composer.put(example.value || example.textContent));
}

// Typing anywhere goes to the command box, as in any chat.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing)
    return;
  const { target } = event;
  if (
    !(target instanceof HTMLElement) ||
    target.closest('input, textarea, select, dialog, [role="listbox"]')
  )
    return;
  const onControl = target.closest('button, a, [role="button"]') !== null;
  if (event.key.length === 1 && event.key !== ' ' && !(onControl && event.key === 'Enter'))
    composer.focus();
});

let dragging = 0;
const hasFiles = (/** @type {DragEvent} */ event) =>
  event.dataTransfer?.types.includes('Files') === true;
window.addEventListener('dragenter', (event) => {
  if (!hasFiles(event)) return;
  dragging += 1;
  drop.hidden = false;
});
window.addEventListener('dragleave', (event) => {
  if (!hasFiles(event)) return;
  dragging = Math.max(0, dragging - 1);
  drop.hidden = dragging === 0;
});
window.addEventListener('dragover', (event) => {
  if (hasFiles(event)) event.preventDefault();
});
window.addEventListener('drop', (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  dragging = 0;
  drop.hidden = true;
  const file = event.dataTransfer?.files[0];
  if (file) composer.attach(file);
});

themeButton(part('theme', HTMLButtonElement));
keepTimesCurrent();
refreshStatus();

/** The person from last time, if they still exist; else the first. */
async function begin() {
  const last = recall('user');
  for (const user of last ? [last, null] : [null]) {
    try {
      const { me } = await fetchState(user);
      connect(me.id);
      return;
    } catch {
      // Not known any more, or the sandbox is not up yet.
    }
  }
  banner.textContent = 'The sandbox cannot be reached. Trying again ...';
  banner.hidden = false;
  setTimeout(() => void begin(), 1500);
}
await begin();
// On a phone the keyboard would cover the page that one came to see.
if (matchMedia('(hover: hover)').matches) composer.focus();

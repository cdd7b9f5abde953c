// @ts-check
// One message: who, when, in answer to what, and what it holds. It updates in place.
import { componentList, isPicture, pictureGrid } from './components.js';
import { Children, h, icon, whenChanged } from './dom.js';
import { embedView } from './embed.js';
import { plainText } from './markdown.js';
import { messageMenu } from './menu.js';
import { fileCard } from './picture.js';
import { avatar, displayName, fileSize, markdown, messageTime } from './text.js';
import { Flag, Kind } from './types.js';

/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Surroundings} Surroundings */
/** @typedef {Message & { failure?: string, waiting?: string }} Shown a message, or the page's own stand-in
 *   for an answer that has not come (`waiting`) or never will (`failure`) */

/** @param {Message} message */
export const isEphemeral = (message) => ((message.flags ?? 0) & Flag.Ephemeral) !== 0;
/** @param {Message} message */
export const isLoading = (message) => ((message.flags ?? 0) & Flag.Loading) !== 0;
/** @param {Message} message */
export const commandOf = (message) => message.interaction_metadata ?? message.interaction ?? null;

/**
 * @param {Surroundings} around
 * @returns {import('./dom.js').View<Shown> & { message: Shown, setGrouped: (grouped: boolean) => void, refreshMenu: () => void, warn: (text: string) => void }}
 */
export function messageView(around) {
  /** @type {Shown | null} */
  let current = null;
  const now = () => /** @type {Shown} */ (current);
  const context = h('div', { class: 'context' });
  const portrait = h('div', { class: 'portrait' });
  const head = h('div', { class: 'head' });
  const content = h('div', { class: 'text content', attrs: { dir: 'auto' } });
  const pictures = pictureGrid(around);
  const files = h('div', { class: 'files' });
  const embeds = h('div', { class: 'embeds' });
  const components = h('div', { class: 'components' });
  const warning = h('p', { class: 'warning', attrs: { role: 'alert', hidden: true } });
  const foot = h('p', { class: 'foot' });
  const embedList = new Children(
    embeds,
    () => 'embed',
    (/** @type {import('./types.js').Embed} */ embed) => {
      const view = embedView(around);
      view.update(embed);
      return view;
    },
  );
  const fileList = new Children(
    files,
    () => 'file',
    (/** @type {import('./types.js').Attachment} */ data) => {
      const slot = h('div');
      const fill = whenChanged((/** @type {import('./types.js').Attachment} */ file) =>
        slot.replaceChildren(
          fileCard({
            name: file.filename,
            url: file.url,
            size: file.size ? fileSize(file.size) : '',
          }),
        ),
      );
      fill(data);
      return { kind: 'file', element: slot, update: fill };
    },
  );
  const list = componentList(components, now, around);
  const body = h(
    'div',
    { class: 'body' },
    head,
    content,
    pictures.element,
    files,
    embeds,
    components,
    warning,
    foot,
  );
  const menu = messageMenu(
    () => (current?.waiting || current?.failure ? [] : around.apps()),
    (command) => around.runApp(now(), command),
  );
  const element = h(
    'li',
    {
      class: 'message',
      attrs: { tabindex: -1 },
      on: {
        contextmenu: (event) => {
          // Links, pictures and selected text keep the browser's own menu.
          if (event.target instanceof Element && event.target.closest('a, img, input')) return;
          if (getSelection()?.toString()) return;
          if (menu.open()) event.preventDefault();
        },
      },
    },
    context,
    portrait,
    body,
    menu.element,
  );

  const showContext = whenChanged(
    (
      /** @type {{ who: import('./types.js').User | undefined, name: string, reply: string }} */ {
        who,
        name,
        reply,
      },
    ) => {
      context.hidden = !who && !reply;
      context.replaceChildren();
      if (context.hidden) return;
      context.append(icon('reply'));
      if (who) context.append(avatar(who), h('b', { text: displayName(who) }));
      if (who && name) context.append(' used ', h('span', { class: 'mention', text: name }));
      else if (reply) context.append(h('span', { class: 'excerpt', text: reply }));
    },
  );
  const showHead = whenChanged(
    (
      /** @type {{ author: import('./types.js').User, timestamp: string, time: boolean }} */ {
        author,
        timestamp,
        time,
      },
    ) => {
      portrait.replaceChildren(avatar(author));
      head.replaceChildren(
        h('span', { class: 'name', text: displayName(author) }),
        ...(author.bot ? [h('span', { class: 'badge', text: 'APP' })] : []),
        ...(time ? [messageTime(timestamp)] : []),
      );
    },
  );
  const showContent = whenChanged(
    (
      /** @type {{ text: string, loading: boolean, name: string, waiting: string, failure: string, edited: boolean }} */ state,
    ) => {
      content.classList.toggle('thinking', state.loading || state.waiting !== '');
      content.classList.toggle('failed', state.failure !== '');
      content.replaceChildren();
      if (state.failure) content.append(icon('alert'), state.failure);
      else if (state.waiting) content.append(state.waiting);
      else if (state.loading)
        content.append(dots(), h('span', { text: `${state.name} is thinking...` }));
      else {
        content.append(markdown(state.text, around));
        if (state.edited && state.text)
          content.append(' ', h('span', { class: 'edited', text: '(edited)' }));
      }
      content.hidden = content.childNodes.length === 0;
    },
  );
  const showFoot = whenChanged(
    (/** @type {{ ephemeral: boolean, failed: boolean }} */ { ephemeral, failed }) => {
      foot.hidden = !ephemeral;
      foot.replaceChildren();
      if (!ephemeral) return;
      foot.append(
        icon('eye'),
        'Only you can see this',
        h('span', { text: '·', attrs: { 'aria-hidden': 'true' } }),
        h('button', {
          class: 'link',
          text: failed ? 'Dismiss' : 'Dismiss message',
          attrs: { type: 'button' },
          on: { click: () => around.dismiss(now()) },
        }),
      );
    },
  );

  return {
    kind: 'message',
    element,
    get message() {
      return now();
    },
    update(message) {
      current = message;
      const flags = message.flags ?? 0;
      const loading = (flags & Flag.Loading) !== 0;
      const command = commandOf(message);
      const quoted = message.referenced_message;
      element.dataset.id = message.id;
      element.classList.toggle('ephemeral', isEphemeral(message));
      element.setAttribute('aria-label', describe(message));
      showContext({
        who: command?.name ? command.user : quoted?.author,
        name:
          !command?.name || (command.command_type ?? 1) !== 1
            ? (command?.name ?? '')
            : `/${command.name}`,
        reply: quoted ? plainText(quoted.content).slice(0, 120) || 'a message' : '',
      });
      showHead({ author: message.author, timestamp: message.timestamp, time: !message.waiting });
      showContent({
        text: (flags & Flag.V2) !== 0 ? '' : message.content,
        loading,
        name: displayName(message.author),
        waiting: message.waiting ?? '',
        failure: message.failure ?? '',
        edited: Boolean(message.edited_timestamp) && !command,
      });
      const attachments = (flags & Flag.V2) !== 0 ? [] : (message.attachments ?? []);
      pictures.update(
        attachments.filter(isPicture).map((file) => ({
          url: file.url,
          name: file.filename,
          alt: file.description ?? '',
          width: file.width ?? null,
          height: file.height ?? null,
          spoiler: file.filename.startsWith('SPOILER_'),
        })),
      );
      fileList.update(attachments.filter((file) => !isPicture(file)));
      embedList.update(message.embeds ?? []);
      list.update(message.components ?? []);
      menu.refresh();
      showFoot({ ephemeral: isEphemeral(message), failed: message.failure !== undefined });
      if (!warning.hidden && loading) warning.hidden = true;
    },
    /** The commands of its menu are others. */
    refreshMenu: () => menu.refresh(),
    /** Joins the message to the one above by the same author. */
    setGrouped(grouped) {
      element.classList.toggle('grouped', grouped);
    },
    /** Says below the message that an interaction with it failed; the next press takes it away. */
    warn(text) {
      warning.replaceChildren(icon('alert'), text);
      warning.hidden = text === '';
    },
    dispose() {
      pictures.update([]);
      embedList.update([]);
      list.update([]);
    },
  };
}

function dots() {
  return h('span', { class: 'dots', attrs: { 'aria-hidden': 'true' } }, h('i'), h('i'), h('i'));
}

/** Bars of progress, which are read aloud block by block. */
const BAR = /[█░]+/g;

/**
 * How far a message is: a bar stands in what is still being worked on.
 * @param {Shown} message
 * @returns {'forming' | 'picture' | 'words'}
 */
export function formOf(message) {
  if (words(message).some((text) => text.search(BAR) >= 0)) return 'forming';
  /** @param {import('./types.js').Component[]} components @returns {boolean} */
  const shows = (components) =>
    components.some((one) => one.type === Kind.Gallery || shows(one.components ?? []));
  const pictured =
    (message.attachments ?? []).some(isPicture) ||
    (message.embeds ?? []).some((embed) => embed.image) ||
    shows(message.components ?? []);
  return pictured ? 'picture' : 'words';
}

/**
 * What the message says, in words: for screen readers and for the announcement of new messages.
 * @param {Shown} message
 */
export function describe(message) {
  const name = displayName(message.author);
  if (message.failure) return message.failure;
  if (message.waiting) return message.waiting;
  if (isLoading(message)) return `${name} is thinking`;
  const parts = words(message).map((text) => text.replaceAll(BAR, ' ').replace(/\s+/g, ' ').trim());
  return `${name}: ${parts.filter(Boolean).join('. ')}`;
}

/** @param {Shown} message */
function words(message) {
  /** @type {string[]} */
  const parts = [];
  if (message.content) parts.push(plainText(message.content));
  for (const embed of message.embeds ?? [])
    parts.push(plainText(embed.title ?? ''), plainText(embed.description ?? ''));
  /** @param {import('./types.js').Component[]} components */
  const walk = (components) => {
    for (const component of components) {
      if (component.content) parts.push(plainText(component.content));
      for (const item of component.items ?? [])
        if (item.description) parts.push(`Picture: ${item.description}`);
      walk(component.components ?? []);
    }
  };
  walk(message.components ?? []);
  for (const file of message.attachments ?? [])
    if (file.description) parts.push(`Picture: ${file.description}`);
  return parts;
}

// Everything that the sandbox remembers, and how messages come, change and go.

import { randomBytes } from 'node:crypto';
import type {
  APIApplicationCommand,
  APIApplicationCommandOptionChoice,
} from 'discord-api-types/v10';
import type { JsonObject } from './errors.js';
import { Events } from './events.js';
import { FileStore, type IncomingFile, type StoredFile } from './files.js';
import {
  APPLICATION_ID,
  botUser,
  CHANNEL_ID,
  FIRST_PEOPLE,
  type Person,
  userObject,
} from './people.js';
import { compareIds, snowflake } from './snowflake.js';
import type { Ping, RecordedRequest, SandboxLimits } from './types.js';

export interface StoredMessage {
  readonly id: string;
  /** 0 ordinary, 19 reply, 20 slash command, 23 context menu */
  readonly type: number;
  readonly authorId: string;
  readonly timestamp: string;
  /** the interaction through which it was made */
  readonly interactionId: string | null;
  /** shown above it: who asked for what */
  readonly interaction: JsonObject | null;
  /** the only one who sees it */
  readonly ephemeralFor: string | null;
  readonly reference: string | null;
  readonly nonce: string | number | null;
  content: string;
  editedTimestamp: string | null;
  flags: number;
  embeds: JsonObject[];
  components: JsonObject[];
  attachments: StoredFile[];
  pinged: { everyone: boolean; users: string[]; roles: string[] };
}

export interface Interaction {
  readonly id: string;
  readonly token: string;
  /** 2 command, 3 component, 4 autocomplete, 5 modal */
  readonly type: number;
  readonly userId: string;
  readonly createdAt: number;
  /** what the page calls it */
  readonly nonce: string | null;
  /** the message that a component stands on, also for a modal that it led to */
  readonly sourceId: string | null;
  /** name, type and target of a command, for the messages made in answer */
  readonly command: { readonly id: string; readonly name: string; readonly type: number } | null;
  state: 'waiting' | 'acknowledged' | 'failed';
  /** the callback's type */
  kind: number | null;
  acknowledgedAt: number | null;
  ephemeral: boolean;
  /** what `@original` means */
  originalId: string | null;
  modal: JsonObject | null;
  choices: APIApplicationCommandOptionChoice[];
  /** ended before its time, for tests */
  expired: boolean;
}

/** What the disk holds. */
export interface Snapshot {
  readonly version: 1;
  readonly secret: string;
  readonly messages: readonly StoredMessage[];
  readonly commands: readonly APIApplicationCommand[];
  readonly interactions: readonly Interaction[];
  readonly people: readonly Person[];
  readonly uploads: readonly StoredFile[];
}

export const DEFAULT_LIMITS: SandboxLimits = {
  acknowledge: 3000,
  token: 15 * 60_000,
  rateCount: 5,
  rateWindow: 5000,
  heartbeat: 41_250,
};

/** Messages and interactions that are kept; older ones go. */
const KEPT = 1000;
/** Files given to commands that are kept. */
const UPLOADS = 100;

export const Flag = {
  SuppressEmbeds: 1 << 2,
  Ephemeral: 1 << 6,
  Loading: 1 << 7,
  SuppressNotifications: 1 << 12,
  V2: 1 << 15,
} as const;

export class World {
  readonly events = new Events();
  readonly limits: SandboxLimits;
  readonly tokens: readonly string[];
  readonly attachmentLimit: number;
  readonly files: FileStore;
  readonly messages = new Map<string, StoredMessage>();
  readonly commands = new Map<string, APIApplicationCommand>();
  readonly interactions = new Map<string, Interaction>();
  readonly people = new Map<string, Person>();
  readonly uploads = new Map<string, StoredFile>();
  readonly requests: RecordedRequest[] = [];
  readonly pings: Ping[] = [];
  /** how many of those two are kept */
  readonly remembered: number;
  /** sends an interaction to the bot; set by the gateway */
  dispatch: (event: string, data: JsonObject, intent?: number) => void = () => undefined;
  botOnline = false;
  #secret = randomBytes(32);

  constructor(options: {
    readonly limits: SandboxLimits;
    readonly tokens: readonly string[];
    readonly attachmentLimit: number;
    readonly fileDirectory: string | undefined;
    readonly remembered: number;
  }) {
    this.remembered = options.remembered;
    this.limits = options.limits;
    this.tokens = options.tokens;
    this.attachmentLimit = options.attachmentLimit;
    this.files = new FileStore(options.fileDirectory, this.#secret);
    for (const person of FIRST_PEOPLE) this.people.set(person.id, { ...person });
  }

  snapshot(): Snapshot {
    return {
      version: 1,
      secret: this.#secret.toString('base64'),
      messages: [...this.messages.values()],
      commands: [...this.commands.values()],
      interactions: [...this.interactions.values()],
      people: [...this.people.values()],
      uploads: [...this.uploads.values()],
    };
  }

  async restore(snapshot: Snapshot): Promise<void> {
    this.#secret = Buffer.from(snapshot.secret, 'base64');
    for (const message of snapshot.messages) this.messages.set(message.id, message);
    for (const command of snapshot.commands) this.commands.set(command.id, command);
    for (const interaction of snapshot.interactions) {
      // Nobody waits for its answer any more.
      if (interaction.state === 'waiting') interaction.state = 'failed';
      this.interactions.set(interaction.id, interaction);
    }
    for (const person of snapshot.people) this.people.set(person.id, person);
    for (const file of snapshot.uploads) this.uploads.set(file.id, file);
    const files = [
      ...snapshot.messages.flatMap((message) => message.attachments),
      ...snapshot.uploads,
    ];
    await this.files.restore(files, this.#secret);
  }

  /** The person with this user name; made when there is none. */
  person(name: string): Person {
    const username = name.toLowerCase();
    for (const person of this.people.values()) if (person.username === username) return person;
    const person: Person = { id: snowflake(), username, name, locale: 'en-US', moderator: false };
    this.people.set(person.id, person);
    return person;
  }

  /** Takes a file for a command's option. */
  async upload(file: IncomingFile): Promise<StoredFile> {
    const stored = await this.files.put(file);
    this.uploads.set(stored.id, stored);
    for (const gone of trim(this.uploads, UPLOADS)) this.files.remove(gone.id);
    return stored;
  }

  interactionByToken(token: string): Interaction | undefined {
    for (const one of this.interactions.values()) if (one.token === token) return one;
    return undefined;
  }

  /** Tokens die 15 minutes after their interaction, whatever was said through them. */
  tokenAlive(interaction: Interaction, now: number = Date.now()): boolean {
    return !interaction.expired && now - interaction.createdAt < this.limits.token;
  }

  addInteraction(interaction: Interaction): void {
    this.interactions.set(interaction.id, interaction);
    trim(this.interactions);
  }

  addMessage(message: StoredMessage): void {
    this.messages.set(message.id, message);
    for (const gone of trim(this.messages)) this.#forgetFiles(gone);
    this.#notePing(message);
    this.events.emit({ type: 'message.create', message });
    this.#tellBot('MESSAGE_CREATE', message, this.render(message));
  }

  /** To be called after a message was changed in place. */
  messageChanged(message: StoredMessage): void {
    this.events.emit({ type: 'message.update', message });
    this.#tellBot('MESSAGE_UPDATE', message, this.render(message));
  }

  deleteMessage(message: StoredMessage): void {
    this.messages.delete(message.id);
    this.#forgetFiles(message);
    this.events.emit({ type: 'message.delete', message });
    this.#tellBot('MESSAGE_DELETE', message, { id: message.id, channel_id: CHANNEL_ID });
  }

  /** An answer that was deferred notifies when it is filled in, any other message when it is made. */
  notePing(message: StoredMessage): void {
    this.#notePing(message);
  }

  #notePing(message: StoredMessage): void {
    const { everyone, users, roles } = message.pinged;
    if (everyone || users.length > 0 || roles.length > 0) {
      this.pings.push({ messageId: message.id, everyone, users: [...users], roles: [...roles] });
      if (this.pings.length > this.remembered) this.pings.shift();
    }
  }

  #forgetFiles(message: StoredMessage): void {
    for (const file of message.attachments) this.files.remove(file.id);
  }

  #tellBot(event: string, message: StoredMessage, data: JsonObject): void {
    // Ephemeral messages are nobody's but the reader's; the rest needs the intent GuildMessages.
    if (message.ephemeralFor === null) this.dispatch(event, data, 1 << 9);
  }

  visibleTo(message: StoredMessage, userId: string): boolean {
    return message.ephemeralFor === null || message.ephemeralFor === userId;
  }

  /** Messages that a person sees, oldest first; without a person: all. */
  sight(userId?: string): StoredMessage[] {
    return [...this.messages.values()]
      .filter((message) => userId === undefined || this.visibleTo(message, userId))
      .sort((a, b) => compareIds(a.id, b.id));
  }

  /** A file as an attachment of a message, with an address that is good from now on. */
  attachment(file: StoredFile, ephemeral = false): JsonObject {
    const url = this.files.url(CHANNEL_ID, file);
    return { ...file, url, proxy_url: url, ...(ephemeral ? { ephemeral: true } : {}) };
  }

  /** A message as Discord shows it. */
  render(message: StoredMessage, depth = 0): JsonObject {
    const author = this.people.get(message.authorId);
    const files = new Map(message.attachments.map((file) => [file.filename, file]));
    const inEmbeds = new Set<string>();
    const embeds = message.embeds.map((embed) => this.#withMedia(embed, files, inEmbeds));
    const inComponents = new Set<string>();
    const components = message.components.map((one) => this.#withMedia(one, files, inComponents));
    const referenced =
      message.reference === null ? undefined : this.messages.get(message.reference);
    return {
      id: message.id,
      channel_id: CHANNEL_ID,
      type: message.type,
      author: author ? userObject(author) : botUser(),
      content: message.content,
      timestamp: message.timestamp,
      edited_timestamp: message.editedTimestamp,
      tts: false,
      pinned: false,
      flags: message.flags,
      mention_everyone: message.pinged.everyone,
      mention_roles: message.pinged.roles,
      mentions: message.pinged.users.flatMap((id) => {
        const person = this.people.get(id);
        return person ? [userObject(person)] : id === APPLICATION_ID ? [botUser()] : [];
      }),
      embeds,
      components,
      // A file that an embed shows is no attachment any more.
      attachments: message.attachments
        .filter((file) => !inEmbeds.has(file.filename))
        .map((file) => this.attachment(file, message.ephemeralFor !== null)),
      ...(author ? {} : { application_id: APPLICATION_ID }),
      ...(message.interactionId === null ? {} : { webhook_id: APPLICATION_ID }),
      ...(message.nonce === null ? {} : { nonce: message.nonce }),
      ...(message.interaction === null ? {} : { interaction_metadata: message.interaction }),
      ...(message.reference === null
        ? {}
        : {
            message_reference: { type: 0, channel_id: CHANNEL_ID, message_id: message.reference },
            ...(depth > 0
              ? {}
              : { referenced_message: referenced ? this.render(referenced, depth + 1) : null }),
          }),
    };
  }

  /** Replaces `attachment://name` below an embed or component by the file's address and facts. */
  #withMedia(
    value: JsonObject,
    files: ReadonlyMap<string, StoredFile>,
    used: Set<string>,
  ): JsonObject {
    const visit = (node: unknown): unknown => {
      if (Array.isArray(node)) return node.map(visit);
      if (typeof node !== 'object' || node === null) return node;
      const entries = Object.entries(node).map(([key, field]) => [key, visit(field)] as const);
      const copy = Object.fromEntries(entries) as JsonObject;
      const { url } = copy;
      if (typeof url === 'string' && url.startsWith('attachment://')) {
        const file = files.get(url.slice('attachment://'.length));
        if (file) {
          used.add(file.filename);
          const address = this.files.url(CHANNEL_ID, file);
          Object.assign(copy, {
            url: address,
            proxy_url: address,
            content_type: file.content_type,
          });
          if (file.width !== undefined)
            Object.assign(copy, { width: file.width, height: file.height });
          copy.attachment_id = file.id;
        }
      }
      return copy;
    };
    return visit(value) as JsonObject;
  }
}

/** Takes the oldest entries out of a map that has grown too large. */
function trim<T>(map: Map<string, T>, kept = KEPT): T[] {
  const gone: T[] = [];
  for (const [key, value] of map) {
    if (map.size <= kept) break;
    map.delete(key);
    gone.push(value);
  }
  return gone;
}

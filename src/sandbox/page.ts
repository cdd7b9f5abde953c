// The chat page's side: its files, its state, its live socket, and what its people do. PAGE-API.md
// describes all of it.

import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { localeFor } from './command-body.js';
import { ApiError, isObject, type JsonObject } from './errors.js';
import type { SandboxEvent } from './events.js';
import { parseBody, readBody, sendJson } from './http.js';
import {
  runCommand,
  runContextCommand,
  submitModal,
  TIMED_OUT,
  useComponent,
} from './interactions.js';
import { InvalidInvocation } from './invocation.js';
import {
  APPLICATION_ID,
  BOT_NAME,
  CHANNEL_ID,
  channelObject,
  GUILD_ID,
  guildObject,
  type Person,
  userObject,
} from './people.js';
import { compareIds } from './snowflake.js';
import type { Interaction, StoredMessage, World } from './world.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webmanifest': 'application/manifest+json',
};

/** Messages in the state, and in each answer with older ones. */
const SHOWN = 200;

/** Bytes that may wait for a page that does not read. */
const BACKLOG = 8 * 2 ** 20;

/** Ends a call of the page's; the message is shown. */
class PageError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Page {
  readonly #world: World;
  readonly #directory: string;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: 1024 });
  readonly #sockets = new Map<WebSocket, string>();
  readonly #off: () => void;

  constructor(world: World, directory: string) {
    this.#world = world;
    this.#directory = directory;
    this.#off = world.events.on((event) => this.#tell(event));
  }

  close(): void {
    this.#off();
    for (const socket of this.#sockets.keys()) socket.terminate();
    this.#server.close();
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void {
    const user = this.#world.people.get(url.searchParams.get('user') ?? '') ?? this.#first();
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      this.#sockets.set(ws, user.id);
      ws.on('error', () => ws.terminate());
      ws.on('close', () => this.#sockets.delete(ws));
      ws.send(JSON.stringify({ type: 'hello' }));
    });
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const route = `${request.method} ${url.pathname}`;
    try {
      switch (route) {
        case 'GET /page/state':
          return sendJson(response, 200, this.#local(this.#state(url)), {
            'cache-control': 'no-store',
          });
        case 'GET /page/messages':
          return sendJson(response, 200, this.#local(this.#before(url)), {
            'cache-control': 'no-store',
          });
        case 'POST /page/interactions': {
          const interaction = this.#interact(await this.#json(request));
          return sendJson(response, 202, { interaction_id: interaction.id });
        }
        case 'POST /page/uploads':
          return sendJson(response, 201, this.#local(await this.#upload(request)));
        case 'POST /page/dismiss':
          this.#dismiss(await this.#json(request));
          return sendJson(response, 204, undefined);
        default:
          if (request.method === 'GET' || request.method === 'HEAD')
            return await this.#file(request, response, url);
          throw new PageError(404, 'There is nothing here.');
      }
    } catch (error) {
      if (error instanceof InvalidInvocation)
        return sendJson(response, 400, { error: error.message });
      if (error instanceof PageError)
        return sendJson(response, error.status, { error: error.message });
      if (error instanceof ApiError) {
        const text = error.status === 413 ? this.#tooLarge() : error.message;
        return sendJson(response, error.status, { error: text });
      }
      throw error;
    }
  }

  /**
   * The same with addresses of files that lead back to wherever the page came from: behind a port
   * forward that is another port than the one listened at, which the bot's addresses name.
   */
  #local(data: JsonObject): JsonObject {
    const { origin } = this.#world.files;
    const visit = (value: unknown, key: string): unknown => {
      if (Array.isArray(value)) return value.map((one) => visit(one, key));
      if (isObject(value)) {
        return Object.fromEntries(
          Object.entries(value).map(([name, one]) => [name, visit(one, name)]),
        );
      }
      const address = typeof value === 'string' && key.endsWith('url') ? value : '';
      return address.startsWith(`${origin}/attachments/`) ? address.slice(origin.length) : value;
    };
    return visit(data, '') as JsonObject;
  }

  #first(): Person {
    return this.#world.people.values().next().value as Person;
  }

  #person(id: unknown): Person {
    const person = this.#world.people.get(String(id));
    if (!person) throw new PageError(400, 'There is no such user.');
    return person;
  }

  #bot(): JsonObject {
    return { id: APPLICATION_ID, name: BOT_NAME, online: this.#world.botOnline };
  }

  #state(url: URL): JsonObject {
    const world = this.#world;
    const given = url.searchParams.get('user');
    const me = given === null ? this.#first() : this.#person(given);
    return {
      me: { ...userObject(me), locale: me.locale },
      users: [...world.people.values()].map((person) => ({
        id: person.id,
        name: person.name,
        username: person.username,
        global_name: person.name,
        moderator: person.moderator,
      })),
      channel: { id: CHANNEL_ID, name: channelObject().name },
      guild: { id: GUILD_ID, name: guildObject().name },
      bot: this.#bot(),
      commands: [...world.commands.values()],
      ...this.#newest(world.sight(me.id)),
      attachment_limit: world.attachmentLimit,
      acknowledge_ms: world.limits.acknowledge,
    };
  }

  #newest(all: readonly StoredMessage[]): { messages: JsonObject[]; older: boolean } {
    return {
      messages: all.slice(-SHOWN).map((message) => this.#world.render(message)),
      older: all.length > SHOWN,
    };
  }

  #before(url: URL): JsonObject {
    const me = this.#person(url.searchParams.get('user'));
    const before = url.searchParams.get('before') ?? '';
    if (!/^\d{1,20}$/.test(before)) throw new PageError(400, 'The id of a message is needed.');
    return this.#newest(this.#world.sight(me.id).filter(({ id }) => compareIds(id, before) < 0));
  }

  #interact(body: JsonObject): Interaction {
    const world = this.#world;
    const person = this.#person(body.user);
    if (typeof body.locale === 'string') person.locale = localeFor(body.locale);
    if (typeof body.nonce !== 'string' || body.nonce.length > 64) {
      throw new PageError(400, 'A nonce of at most 64 characters is needed.');
    }
    const act = { person, nonce: body.nonce };
    switch (body.type) {
      case 2:
      case 4: {
        const commandId = String(body.command);
        if (!world.commands.has(commandId))
          throw new PageError(409, 'There is no such command any more.');
        if (typeof body.target_id === 'string')
          return runContextCommand(world, { ...act, commandId, targetId: body.target_id });
        return runCommand(world, {
          ...act,
          commandId,
          options: body.options,
          autocomplete: body.type === 4,
        });
      }
      case 3:
        return useComponent(world, {
          ...act,
          messageId: String(body.message_id),
          customId: String(body.custom_id),
          values: body.values,
        });
      case 5: {
        const interaction = world.interactions.get(String(body.interaction_id));
        if (!interaction || interaction.userId !== person.id)
          throw new PageError(400, 'This form is no longer open.');
        const fields = isObject(body.fields) ? body.fields : {};
        return submitModal(world, {
          ...act,
          interaction,
          customId: String(body.custom_id),
          fields,
        });
      }
      default:
        throw new PageError(400, 'The type must be 2, 3, 4 or 5.');
    }
  }

  async #json(request: IncomingMessage): Promise<JsonObject> {
    if (!request.headers['content-type']?.startsWith('application/json')) {
      throw new PageError(415, 'JSON is expected.');
    }
    const { json } = await parseBody(request, await readBody(request, 2 ** 20));
    if (!isObject(json)) throw new PageError(400, 'An object is expected.');
    return json;
  }

  #tooLarge(): string {
    const limit = (this.#world.attachmentLimit / 2 ** 20).toFixed(1).replace(/\.0$/, '');
    return `This file is too large: at most ${limit} MiB are allowed.`;
  }

  async #upload(request: IncomingMessage): Promise<JsonObject> {
    const limit = this.#world.attachmentLimit;
    const { files } = await parseBody(request, await readBody(request, limit + 2 ** 16));
    const file = files[0];
    if (!file || files.length !== 1)
      throw new PageError(400, 'One file in the field "file" is expected.');
    if (file.bytes.length > limit) throw new PageError(413, this.#tooLarge());
    return this.#world.attachment(await this.#world.upload(file), true);
  }

  #dismiss(body: JsonObject): void {
    const person = this.#person(body.user);
    dismiss(this.#world, person.id, String(body.message_id));
  }

  async #file(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const host = request.headers.host ?? '';
    // One origin, so that what the browser remembers is there whichever name is used.
    if (url.pathname === '/' && host.startsWith('localhost')) {
      response
        .writeHead(302, {
          location: `http://127.0.0.1${host.slice('localhost'.length)}/${url.search}`,
        })
        .end();
      return;
    }
    let name: string;
    try {
      name = normalize(decodeURIComponent(url.pathname === '/' ? '/index.html' : url.pathname));
    } catch {
      throw new PageError(400, 'This address is not well formed.');
    }
    const type = TYPES[extname(name)];
    const path = join(this.#directory, name);
    const inside = path.startsWith(
      this.#directory.endsWith(sep) ? this.#directory : this.#directory + sep,
    );
    if (type === undefined || !inside || name.includes('\0'))
      throw new PageError(404, 'There is nothing here.');
    const bytes = await readFile(path).catch(() => {
      throw new PageError(404, 'There is nothing here.');
    });
    response
      .writeHead(200, {
        'content-type': type,
        'content-length': bytes.length,
        'cache-control': 'no-cache',
        'content-security-policy': [
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          "font-src 'self'",
          "manifest-src 'self'",
          "img-src 'self' data: blob: https:",
          "media-src 'self' blob:",
          `connect-src 'self' ws://${host}`,
          "base-uri 'none'",
          "form-action 'none'",
          "frame-ancestors 'none'",
        ].join('; '),
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      })
      .end(request.method === 'HEAD' ? undefined : bytes);
  }

  #tell(event: SandboxEvent): void {
    if (this.#sockets.size === 0) return;
    const { frame, only } = this.#frame(event);
    if (frame === undefined) return;
    const text = JSON.stringify(this.#local(frame));
    for (const [socket, user] of this.#sockets) {
      if ((only !== null && only !== user) || socket.readyState !== 1) continue;
      // It comes back and asks for the state, if it ever reads again.
      if (socket.bufferedAmount > BACKLOG) socket.terminate();
      else socket.send(text);
    }
  }

  /** @returns what to send, and to whom alone (null: to all) */
  #frame(event: SandboxEvent): { frame: JsonObject | undefined; only: string | null } {
    const { type } = event;
    switch (type) {
      case 'message.create':
      case 'message.update':
        return {
          frame: { type, message: this.#world.render(event.message) },
          only: event.message.ephemeralFor,
        };
      case 'message.delete':
        return { frame: { type, id: event.message.id }, only: event.message.ephemeralFor };
      case 'commands':
        return { frame: { type, commands: [...this.#world.commands.values()] }, only: null };
      case 'bot':
        return { frame: { type, bot: this.#bot() }, only: null };
      case 'request':
        return { frame: undefined, only: null };
      default: {
        const { interaction } = event;
        const about = { type, nonce: interaction.nonce, interaction_id: interaction.id };
        const only = interaction.userId;
        if (type === 'modal') return { frame: { ...about, modal: event.modal }, only };
        if (type === 'autocomplete') return { frame: { ...about, choices: event.choices }, only };
        if (type === 'interaction.failed') return { frame: { ...about, reason: TIMED_OUT }, only };
        return { frame: { ...about, kind: event.kind, message_id: interaction.originalId }, only };
      }
    }
  }
}

/** Takes an ephemeral message out of its reader's sight; anything else stays. */
export function dismiss(world: World, userId: string, messageId: string): void {
  const message = world.messages.get(messageId);
  if (!message || message.ephemeralFor !== userId) {
    throw new InvalidInvocation('Only messages that you alone see can be dismissed.');
  }
  world.deleteMessage(message);
}

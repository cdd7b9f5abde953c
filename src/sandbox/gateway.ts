// The gateway, version 10, JSON without compression: sessions that outlive their sockets, so that
// a client can resume and gets what it missed.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { isObject, type JsonObject } from './errors.js';
import {
  APPLICATION_ID,
  botSelf,
  GUILD_ID,
  guildCreate,
  memberObject,
  userObject,
} from './people.js';
import type { World } from './world.js';

const Op = {
  Dispatch: 0,
  Heartbeat: 1,
  Identify: 2,
  PresenceUpdate: 3,
  VoiceStateUpdate: 4,
  Resume: 6,
  Reconnect: 7,
  RequestGuildMembers: 8,
  InvalidSession: 9,
  Hello: 10,
  HeartbeatAck: 11,
} as const;

const Close = {
  UnknownError: 4000,
  UnknownOpcode: 4001,
  DecodeError: 4002,
  NotAuthenticated: 4003,
  AuthenticationFailed: 4004,
  AlreadyAuthenticated: 4005,
  InvalidSeq: 4007,
  SessionTimedOut: 4009,
  InvalidShard: 4010,
  InvalidVersion: 4012,
  InvalidIntents: 4013,
} as const;

/** Events that are kept for a replay. */
const REPLAY = 1000;

interface Session {
  readonly id: string;
  readonly intents: number;
  readonly shard: readonly [number, number];
  seq: number;
  readonly events: { readonly seq: number; readonly text: string }[];
  socket: WebSocket | null;
}

interface Connection {
  readonly socket: WebSocket;
  session: Session | null;
  /** ms since the epoch of the last heartbeat, at first of the HELLO */
  beat: number;
  muted: boolean;
  timer: NodeJS.Timeout | null;
}

export class Gateway {
  readonly #world: World;
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #sessions = new Map<string, Session>();
  readonly #connections = new Map<WebSocket, Connection>();
  /** `ws://127.0.0.1:PORT/gateway`, set once the server listens */
  url = '';

  constructor(world: World) {
    this.#world = world;
    world.dispatch = (event, data, intent = 0) => this.dispatch(event, data, intent);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (ws) => this.#open(ws, request));
  }

  /** Sends an event to every session, connected or not; `intent` 0 needs none. */
  dispatch(event: string, data: JsonObject, intent = 0): void {
    for (const session of this.#sessions.values()) {
      if (intent !== 0 && (session.intents & intent) === 0) continue;
      const [index, count] = session.shard;
      if (Number((BigInt(GUILD_ID) >> 22n) % BigInt(count)) === index)
        this.#send(session, event, data);
    }
  }

  get online(): boolean {
    return [...this.#sessions.values()].some((session) => session.socket !== null);
  }

  dropSockets(code?: number): void {
    for (const { socket } of this.#connections.values()) {
      if (code === undefined) socket.terminate();
      else socket.close(code, 'dropped by the sandbox');
    }
    if (
      code === 1000 ||
      code === 1001 ||
      code === Close.InvalidSeq ||
      code === Close.SessionTimedOut
    ) {
      this.#sessions.clear();
      this.#tellOnline();
    }
  }

  invalidSession(resumable: boolean): void {
    for (const connection of this.#connections.values()) this.#invalidate(connection, resumable);
  }

  reconnect(): void {
    for (const { socket } of this.#connections.values()) {
      socket.send(JSON.stringify({ op: Op.Reconnect, d: null, s: null, t: null }));
    }
  }

  muteHeartbeats(): void {
    for (const connection of this.#connections.values()) connection.muted = true;
  }

  close(): void {
    for (const connection of this.#connections.values()) {
      if (connection.timer) clearInterval(connection.timer);
      connection.socket.terminate();
    }
    this.#server.close();
  }

  #open(socket: WebSocket, request: IncomingMessage): void {
    const query = new URL(request.url ?? '/', 'ws://127.0.0.1').searchParams;
    if ((query.get('v') ?? '10') !== '10') {
      socket.close(Close.InvalidVersion, 'Invalid API version');
      return;
    }
    if ((query.get('encoding') ?? 'json') !== 'json' || query.has('compress')) {
      socket.close(Close.DecodeError, 'The sandbox speaks JSON without compression');
      return;
    }
    const interval = this.#world.limits.heartbeat;
    const connection: Connection = {
      socket,
      session: null,
      beat: Date.now(),
      muted: false,
      timer: null,
    };
    this.#connections.set(socket, connection);
    // A client that is silent for two intervals is gone; its session waits for it.
    connection.timer = setInterval(() => {
      if (Date.now() - connection.beat > interval * 2)
        socket.close(Close.UnknownError, 'No heartbeat');
    }, interval);
    connection.timer.unref();
    socket.on('message', (data) => this.#receive(connection, String(data)));
    socket.on('error', () => socket.terminate());
    socket.on('close', (code) => this.#closed(connection, code));
    socket.send(
      JSON.stringify({
        op: Op.Hello,
        d: { heartbeat_interval: interval, _trace: [] },
        s: null,
        t: null,
      }),
    );
  }

  #closed(connection: Connection, code: number): void {
    if (connection.timer) clearInterval(connection.timer);
    this.#connections.delete(connection.socket);
    const { session } = connection;
    if (session?.socket === connection.socket) {
      session.socket = null;
      // The client said good-bye: there is nothing to resume.
      if (code === 1000 || code === 1001) this.#sessions.delete(session.id);
      this.#tellOnline();
    }
  }

  #receive(connection: Connection, text: string): void {
    const { socket } = connection;
    let payload: unknown;
    try {
      payload = JSON.parse(text);
    } catch {
      socket.close(Close.DecodeError, 'Error while decoding payload.');
      return;
    }
    if (!isObject(payload)) {
      socket.close(Close.DecodeError, 'Error while decoding payload.');
      return;
    }
    const data = isObject(payload.d) ? payload.d : {};
    switch (payload.op) {
      case Op.Heartbeat:
        connection.beat = Date.now();
        if (!connection.muted)
          socket.send(JSON.stringify({ op: Op.HeartbeatAck, d: null, s: null, t: null }));
        return;
      case Op.Identify:
        this.#identify(connection, data);
        return;
      case Op.Resume:
        this.#resume(connection, data);
        return;
      case Op.PresenceUpdate:
      case Op.VoiceStateUpdate:
        if (!connection.session) socket.close(Close.NotAuthenticated, 'Not authenticated.');
        return;
      case Op.RequestGuildMembers:
        this.#members(connection, data);
        return;
      default:
        socket.close(Close.UnknownOpcode, 'Unknown opcode.');
        return;
    }
  }

  #identify(connection: Connection, data: JsonObject): void {
    const { socket } = connection;
    if (connection.session) {
      socket.close(Close.AlreadyAuthenticated, 'Already authenticated.');
      return;
    }
    if (!this.#world.tokens.includes(String(data.token))) {
      socket.close(Close.AuthenticationFailed, 'Authentication failed.');
      return;
    }
    if (typeof data.intents !== 'number') {
      socket.close(Close.InvalidIntents, 'Invalid intent(s).');
      return;
    }
    const shard = Array.isArray(data.shard) ? data.shard : [0, 1];
    const [index, count] = shard as [number, number];
    if (!(index >= 0 && index < count)) {
      socket.close(Close.InvalidShard, 'Invalid shard.');
      return;
    }
    const session: Session = {
      id: randomBytes(16).toString('hex'),
      intents: data.intents,
      shard: [index, count],
      seq: 0,
      events: [],
      socket,
    };
    this.#sessions.set(session.id, session);
    connection.session = session;
    const mine = Number((BigInt(GUILD_ID) >> 22n) % BigInt(count)) === index;
    this.#send(session, 'READY', {
      v: 10,
      user: botSelf(),
      user_settings: {},
      guilds: mine ? [{ id: GUILD_ID, unavailable: true }] : [],
      session_id: session.id,
      session_type: 'normal',
      resume_gateway_url: this.url,
      shard: session.shard,
      application: { id: APPLICATION_ID, flags: 0 },
      private_channels: [],
      presences: [],
      relationships: [],
      geo_ordered_rtc_regions: [],
      auth: {},
    });
    if (mine) this.#send(session, 'GUILD_CREATE', guildCreate(this.#world));
    this.#tellOnline();
  }

  #resume(connection: Connection, data: JsonObject): void {
    const { socket } = connection;
    if (!this.#world.tokens.includes(String(data.token))) {
      socket.close(Close.AuthenticationFailed, 'Authentication failed.');
      return;
    }
    const session = this.#sessions.get(String(data.session_id));
    const seq = Number(data.seq);
    const oldest = session?.events[0]?.seq ?? 1;
    if (!session || !(seq >= 0 && seq <= session.seq) || seq + 1 < oldest) {
      this.#invalidate(connection, false);
      return;
    }
    if (session.socket !== socket) session.socket?.terminate();
    session.socket = socket;
    connection.session = session;
    for (const event of session.events) if (event.seq > seq) socket.send(event.text);
    this.#send(session, 'RESUMED', { _trace: [] });
    this.#tellOnline();
  }

  #invalidate(connection: Connection, resumable: boolean): void {
    if (!resumable && connection.session) {
      this.#sessions.delete(connection.session.id);
      connection.session.socket = null;
      connection.session = null;
      this.#tellOnline();
    }
    connection.socket.send(
      JSON.stringify({ op: Op.InvalidSession, d: resumable, s: null, t: null }),
    );
  }

  #members(connection: Connection, data: JsonObject): void {
    const { session, socket } = connection;
    if (!session) {
      socket.close(Close.NotAuthenticated, 'Not authenticated.');
      return;
    }
    const wanted = Array.isArray(data.user_ids) ? data.user_ids : undefined;
    const members = [...this.#world.people.values()]
      .filter((person) => wanted === undefined || wanted.includes(person.id))
      .map((person) => ({ ...memberObject(), user: userObject(person) }));
    this.#send(session, 'GUILD_MEMBERS_CHUNK', {
      guild_id: GUILD_ID,
      members,
      chunk_index: 0,
      chunk_count: 1,
      not_found: [],
      ...(data.nonce === undefined ? {} : { nonce: data.nonce }),
    });
  }

  #send(session: Session, event: string, data: JsonObject): void {
    session.seq += 1;
    const text = JSON.stringify({ op: Op.Dispatch, t: event, s: session.seq, d: data });
    session.events.push({ seq: session.seq, text });
    if (session.events.length > REPLAY) session.events.shift();
    if (session.socket?.readyState === 1) session.socket.send(text);
  }

  #tellOnline(): void {
    const now = this.online;
    if (now === this.#world.botOnline) return;
    this.#world.botOnline = now;
    this.#world.events.emit({ type: 'bot' });
  }
}

// The loopback Discord: one server on 127.0.0.1 with the REST API, the gateway, the files and the
// chat page.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { APIMessage } from 'discord-api-types/v10';
import { Api } from './api.js';
import { FaultSwitches } from './faults.js';
import { Gateway } from './gateway.js';
import { isOwnOrigin, segments, sendJson } from './http.js';
import { Page } from './page.js';
import { APPLICATION_ID, CHANNEL_ID, DEFAULT_TOKEN, GUILD_ID } from './people.js';
import { Keeper } from './persistence.js';
import type { Sandbox, SandboxOptions, WaitOptions } from './types.js';
import { User } from './users.js';
import { describeMessages, waitUntil } from './waiting.js';
import { DEFAULT_LIMITS, World } from './world.js';

/** The page's files are not compiled: from dist/sandbox/ they are found in src/ as well. */
const PAGE = fileURLToPath(new URL('../../src/sandbox/page', import.meta.url));

/**
 * Starts a sandbox.
 * @throws Error EADDRINUSE when the port is fixed and taken
 */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { directory } = options;
  const world = new World({
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    tokens: options.tokens ?? [DEFAULT_TOKEN],
    attachmentLimit: options.attachmentLimit ?? 10 * 1024 * 1024,
    fileDirectory: directory === undefined ? undefined : join(directory, 'attachments'),
    remembered: options.remembered ?? 20_000,
  });
  if (directory !== undefined) await Keeper.restore(world, directory);
  const gateway = new Gateway(world);
  const faults = new FaultSwitches(world, gateway);
  const api = new Api(world, faults, () => gateway.url);
  const page = new Page(world, resolve(options.pageDirectory ?? PAGE));
  const keeper = directory === undefined ? undefined : new Keeper(world, directory);

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // Called off by the other side, such as an upload that took too long.
      if (request.destroyed && !request.complete) return;
      process.emitWarning(
        `The sandbox failed at ${request.method} ${request.url}: ${error instanceof Error ? error.stack : String(error)}`,
      );
      if (!response.headersSent)
        sendJson(response, 500, { message: '500: Internal Server Error', code: 0 });
      else response.destroy();
    });
  });
  server.keepAliveTimeout = 60_000;
  // Errors of a single connection, such as a client that goes away, concern nobody else.
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('upgrade', upgrade);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isOwnOrigin(request)) {
      return sendJson(response, 403, { error: 'Requests of other origins are refused.' });
    }
    const url = urlOf(request);
    if (!url) return sendJson(response, 400, { error: 'This address is not well formed.' });
    if (url.pathname === '/api' || url.pathname.startsWith('/api/'))
      return api.handle(request, response, url);
    if (url.pathname.startsWith('/attachments/')) return attachment(request, response, url);
    return page.handle(request, response, url);
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const url = urlOf(request);
    if (!isOwnOrigin(request) || !url) {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    } else if (url.pathname === '/page/live') page.upgrade(request, socket, head, url);
    else if (url.pathname === '/gateway' || url.pathname === '/gateway/')
      gateway.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  }

  async function attachment(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    const id = segments(url.pathname)?.[2] ?? '';
    if (!world.files.verify(url.pathname, url.searchParams)) {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end('This content is no longer available.');
      return;
    }
    const facts = world.files.facts(id);
    const bytes = facts && (await world.files.read(id));
    if (!facts || !bytes) {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end('This content is no longer available.');
      return;
    }
    const broken = faults.takeDownload();
    if (broken === 'gone') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found.');
      return;
    }
    if (broken === 'moved') {
      response.writeHead(302, { location: `${url.pathname}${url.search}` }).end();
      return;
    }
    if (broken === 'cut') {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
      return;
    }
    const name = encodeURIComponent(facts.filename);
    const inline = facts.content_type.startsWith('image/') ? 'inline' : 'attachment';
    response
      .writeHead(200, {
        'content-type': facts.content_type,
        'content-length': bytes.length,
        'content-disposition': `${inline}; filename*=UTF-8''${name}`,
        'cache-control': 'private, max-age=31536000, immutable',
        'content-security-policy': "default-src 'none'; sandbox",
        'x-content-type-options': 'nosniff',
      })
      .end(request.method === 'HEAD' ? undefined : bytes);
  }

  const port = await listen(server, options.port ?? 0, options.fixedPort === true);
  const origin = `http://127.0.0.1:${port}`;
  world.files.origin = origin;
  gateway.url = `ws://127.0.0.1:${port}/gateway`;

  const render = (message: Parameters<World['render']>[0]) =>
    world.render(message) as unknown as APIMessage;
  const until = <T>(condition: () => T | false | undefined, waiting: WaitOptions = {}) =>
    waitUntil(world, condition, waiting, () => describeMessages(world, world.sight()));
  let closed: Promise<void> | undefined;

  async function shutDown(): Promise<void> {
    api.close();
    page.close();
    gateway.close();
    await new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
    await keeper?.close();
  }

  return {
    url: `${origin}/`,
    apiBase: `${origin}/api`,
    port,
    token: world.tokens[0] ?? DEFAULT_TOKEN,
    applicationId: APPLICATION_ID,
    guildId: GUILD_ID,
    channelId: CHANNEL_ID,
    limits: world.limits,
    requests: world.requests,
    pings: world.pings,
    faults,
    get commands() {
      return [...world.commands.values()];
    },
    get online() {
      return world.botOnline;
    },
    user: (name = 'ada') => new User(world, world.person(name)),
    messages: () => world.sight().map(render),
    message(id) {
      const found = world.messages.get(id);
      return found && render(found);
    },
    async download(given) {
      const text = typeof given === 'string' ? given : given.url;
      const id = text.includes('/') ? (segments(new URL(text).pathname)?.[2] ?? '') : text;
      const bytes = await world.files.read(id);
      if (!bytes) throw new Error(`There is no attachment ${text}.`);
      return bytes;
    },
    until,
    async ready(commands = [], waiting = {}) {
      const known = () => new Set([...world.commands.values()].map((one) => one.name));
      await until(() => world.botOnline && commands.every((name) => known().has(name)), {
        what: `a bot that is online${commands.length > 0 ? ` with ${commands.join(', ')}` : ''}`,
        ...waiting,
      });
    },
    close() {
      closed ??= shutDown();
      return closed;
    },
  };
}

function urlOf(request: IncomingMessage): URL | undefined {
  try {
    return new URL(request.url ?? '/', 'http://127.0.0.1');
  } catch {
    return undefined;
  }
}

/** @returns the port that was taken */
async function listen(
  server: ReturnType<typeof createServer>,
  port: number,
  fixed: boolean,
): Promise<number> {
  const attempt = (wanted: number) =>
    new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(wanted, '127.0.0.1', () => {
        server.off('error', failed);
        done();
      });
    });
  try {
    await attempt(port);
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE' && !fixed && port !== 0;
    if (!taken) throw error;
    await attempt(0);
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

// The REST API, version 10: records each call, lets faults at it, checks who calls and how often,
// and hands it to its route.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ApiError,
  invalidWebhookToken,
  methodNotAllowed,
  missingAccess,
  notFound,
  unauthorized,
  unknownMessage,
} from './errors.js';
import type { Effect, FaultSwitches } from './faults.js';
import { type ParsedBody, parseBody, readBody, segments, sendJson } from './http.js';
import { RateLimits, rateHeaders } from './rate-limits.js';
import { callbackRoutes } from './rest/callbacks.js';
import { channelRoutes } from './rest/channels.js';
import { commandRoutes } from './rest/commands.js';
import { identityRoutes } from './rest/identity.js';
import { webhookRoutes } from './rest/webhooks.js';
import { match, type Route } from './routes.js';
import type { RecordedRequest } from './types.js';
import type { World } from './world.js';

interface Outcome {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Api {
  readonly #world: World;
  readonly #faults: FaultSwitches;
  readonly #limits: RateLimits;
  readonly #routes: readonly Route[];
  readonly #closing = new AbortController();

  constructor(world: World, faults: FaultSwitches, gatewayUrl: () => string) {
    this.#world = world;
    this.#faults = faults;
    this.#limits = new RateLimits(world.limits);
    this.#routes = [
      ...callbackRoutes(),
      ...webhookRoutes(),
      ...channelRoutes(),
      ...commandRoutes(),
      ...identityRoutes(gatewayUrl),
    ];
  }

  close(): void {
    this.#closing.abort();
  }

  /** @param url the request's, whose path begins with `/api` */
  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const path = segments(url.pathname.replace(/^\/api(\/v\d+)?/, ''));
    if (!path) return sendJson(response, 404, notFound());
    const record: RecordedRequest = {
      method: request.method ?? 'GET',
      path: `/${path.join('/')}`,
      query: Object.fromEntries(url.searchParams),
      headers: headersOf(request),
      body: undefined,
      files: [],
      time: Date.now(),
      status: 0,
      code: undefined,
      fault: undefined,
    };
    let parsed: ParsedBody = { json: undefined, files: [] };
    let refused: ApiError | undefined;
    try {
      const body = await readBody(request, this.#world.attachmentLimit * 10 + 2 ** 20);
      parsed = await parseBody(request, body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refused = error;
    }
    this.#record(
      Object.assign(record, {
        body: parsed.json,
        time: Date.now(),
        files: parsed.files.map(({ field, name, type, bytes }) => ({
          field,
          name,
          type,
          size: bytes.length,
        })),
      }),
    );

    const effect = this.#faults.take(record);
    if (effect) record.fault = effect.kind;
    if (effect?.kind === 'lost-before') return drop(request, this.#world);
    let outcome = effect ? instead(effect) : undefined;
    outcome ??= refused ? failed(refused) : await this.#call(record, path, url, parsed);
    if (effect?.kind === 'lost') return drop(request, this.#world);
    if (effect?.kind === 'late') {
      await delay(effect.delay, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
    record.status = outcome.status;
    const { body } = outcome;
    if (body instanceof ApiError) record.code = body.code;
    if (typeof body === 'string') {
      response
        .writeHead(outcome.status, { 'content-type': 'text/html', ...outcome.headers })
        .end(body);
    } else sendJson(response, outcome.status, body, outcome.headers);
    this.#world.events.emit({ type: 'request' });
  }

  #record(record: RecordedRequest): void {
    const { requests, remembered } = this.#world;
    requests.push(record);
    if (requests.length > remembered) requests.shift();
  }

  async #call(
    record: RecordedRequest,
    path: readonly string[],
    url: URL,
    parsed: ParsedBody,
  ): Promise<Outcome> {
    let known = false;
    for (const route of this.#routes) {
      const params = match(route.pattern, path);
      if (!params) continue;
      known = true;
      if (route.method !== record.method) continue;
      if (!route.open && !this.#authorized(record)) return failed(unauthorized());
      const limited = this.#take(route, params);
      if (limited?.refusal) return limited.refusal;
      const headers = limited?.headers ?? {};
      try {
        const call = {
          world: this.#world,
          params,
          query: url.searchParams,
          body: parsed.json,
          files: parsed.files,
        };
        const answer = await route.handle(call);
        return { status: answer.status, body: answer.body, headers };
      } catch (error) {
        if (error instanceof ApiError) return { ...failed(error), headers };
        throw error;
      }
    }
    return failed(known ? methodNotAllowed() : notFound());
  }

  #authorized(record: RecordedRequest): boolean {
    const [scheme, token] = (record.headers.authorization ?? '').split(' ');
    return scheme === 'Bot' && this.#world.tokens.includes(token ?? '');
  }

  #take(route: Route, params: Readonly<Record<string, string>>) {
    if (route.rate === 'none') return undefined;
    const major = params.token ?? params.channel ?? params.guild ?? '';
    const { bucket, limited } = this.#limits.take(
      `${route.method} ${route.pattern}`,
      major,
      route.rate === 'tight',
    );
    const headers = rateHeaders(bucket);
    if (!limited) return { headers };
    const retryAfter = Math.max(bucket.resetAt - Date.now(), 1) / 1000;
    return {
      headers,
      refusal: rateLimited(retryAfter, { ...headers, 'x-ratelimit-scope': 'user' }, false),
    };
  }
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  return headers;
}

const failed = (error: ApiError): Outcome => ({ status: error.status, body: error });

function rateLimited(
  retryAfter: number,
  headers: Readonly<Record<string, string>>,
  global: boolean,
): Outcome {
  return {
    status: 429,
    body: {
      message: 'You are being rate limited.',
      retry_after: Number(retryAfter.toFixed(3)),
      global,
    },
    headers: { 'retry-after': String(Math.ceil(retryAfter)), ...headers },
  };
}

/** The answer that a fault gives in place of the real one; undefined when the call is to be made. */
function instead(effect: Effect): Outcome | undefined {
  switch (effect.kind) {
    case 'rate-limit': {
      const after = effect.retryAfter;
      // Cloudflare's: whole seconds, and a page instead of JSON.
      if (!effect.headers) {
        return {
          status: 429,
          body: 'error code: 1015',
          headers: { 'retry-after': String(Math.ceil(after)) },
        };
      }
      if (effect.global) {
        return rateLimited(
          after,
          { 'x-ratelimit-global': 'true', 'x-ratelimit-scope': 'global' },
          true,
        );
      }
      const headers = {
        'x-ratelimit-limit': '5',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': (Date.now() / 1000 + after).toFixed(3),
        'x-ratelimit-reset-after': after.toFixed(3),
        'x-ratelimit-bucket': 'fault',
        'x-ratelimit-scope': 'user',
      };
      return rateLimited(after, headers, false);
    }
    case 'status':
      return { status: effect.status, body: `<html><body><h1>${effect.status}</h1></body></html>` };
    case 'unknown-message':
      return failed(unknownMessage());
    case 'missing-access':
      return failed(missingAccess());
    case 'dead-token':
      return failed(invalidWebhookToken());
    default:
      return undefined;
  }
}

function drop(request: IncomingMessage, world: World): void {
  request.socket.destroy();
  world.events.emit({ type: 'request' });
}

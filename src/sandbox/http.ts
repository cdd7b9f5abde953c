// The small things of HTTP: reading bodies, multipart, JSON answers, and who may talk to us.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, malformedJson, tooLarge } from './errors.js';
import type { IndexedFile } from './message-body.js';

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?$/i;

/**
 * False for a request that a web page of another origin (or a name rebound to this address) makes:
 * the Host must be a loopback name, and an Origin, where there is one, the same.
 */
export function isOwnOrigin(request: IncomingMessage): boolean {
  const { host, origin } = request.headers;
  if (host === undefined || !LOOPBACK.test(host)) return false;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  const site = request.headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return true;
  // A link to the page from elsewhere is harmless; anything embedded or fetched is not.
  return request.method === 'GET' && request.headers['sec-fetch-mode'] === 'navigate';
}

/**
 * The whole body.
 * @throws ApiError 413 above `limit` bytes; the rest is then read and thrown away, so that the
 *   client gets the answer
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size > limit) throw tooLarge();
  return Buffer.concat(chunks);
}

export interface ParsedBody {
  readonly json: unknown;
  readonly files: readonly (IndexedFile & { readonly field: string })[];
}

/** JSON, or a multipart body of `payload_json` and `files[n]`. @throws ApiError 400 */
export async function parseBody(request: IncomingMessage, body: Buffer): Promise<ParsedBody> {
  const type = request.headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) {
    return { json: body.length === 0 ? undefined : parseJson(body.toString('utf8')), files: [] };
  }
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } })
    .formData()
    .catch(() => {
      throw new ApiError(400, 50035, 'Invalid Form Body');
    });
  let json: unknown;
  const files: (IndexedFile & { field: string })[] = [];
  for (const [field, value] of form) {
    if (typeof value === 'string') {
      if (field === 'payload_json') json = parseJson(value);
      continue;
    }
    const index = /^files\[(\d+)\]$/.exec(field)?.[1] ?? /^file(\d*)$/.exec(field)?.[1];
    files.push({
      field,
      index: Number(index || 0),
      name: value.name,
      type: value.type,
      bytes: Buffer.from(await value.arrayBuffer()),
    });
  }
  return { json, files };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformedJson();
  }
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (body === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'content-length': bytes.length,
      ...headers,
    })
    .end(bytes);
}

/** A path's decoded segments, or undefined when it is not well encoded. */
export function segments(path: string): string[] | undefined {
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

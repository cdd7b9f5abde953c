// A stand-in for a Hugging Face hub on the loopback address: model information, file trees in pages,
// and files, the large ones by a redirect to a second server as their CDN. It can be told to fail in
// the ways that hubs and networks do. Header names: huggingface_hub's file_download.py.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative, sep } from 'node:path';

export interface StandInRepository {
  /** path to content, by commit */
  readonly commits: Record<string, Readonly<Record<string, Uint8Array>>>;
  /** branches and tags to commits */
  readonly revisions: Record<string, string>;
  /** 'gated': the listing is public, files need the token; 'private': all needs it */
  readonly access?: 'public' | 'gated' | 'private' | undefined;
  /** entries put into the tree as they are */
  readonly extraEntries?: readonly unknown[] | undefined;
}

/** What goes wrong with the next requests whose path matches. */
export interface Fault {
  readonly path: RegExp;
  /** requests that it happens to */
  times: number;
  readonly kind:
    | { readonly status: number; readonly retryAfter?: number }
    /** the connection ends after so many bytes of the body */
    | { readonly dropAfter: number }
    /** so many bytes of the body, then nothing until the client goes */
    | { readonly stallAfter: number }
    /** every byte of the body is another one */
    | 'wrong-bytes'
    /** the whole file, whatever range was asked for */
    | 'no-ranges'
    /** a web page instead of an answer */
    | 'web-page';
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly server: 'hub' | 'cdn';
}

/** From so many bytes on a file is LFS: behind a redirect, and listed with its SHA-256. */
const LARGE = 4096;
export const TOKEN = 'hf_standInToken';

export class HubStandIn {
  readonly repositories = new Map<string, StandInRepository>();
  readonly faults: Fault[] = [];
  readonly seen: SeenRequest[] = [];
  /** entries in one page of a tree */
  pageSize = 1000;
  /** requests that stand still now */
  stalled = 0;
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => void this.#answer(request, response, 'hub'));
    this.#cdn = createServer((request, response) => void this.#answer(request, response, 'cdn'));
  }

  static async start(): Promise<HubStandIn> {
    const hub = new HubStandIn();
    for (const server of [hub.#hub, hub.#cdn]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return hub;
  }

  get url(): string {
    return addressOf(this.#hub);
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      server.closeAllConnections();
      server.close();
    }
  }

  /** Publishes files as a new commit of a branch. @returns the commit */
  publish(
    name: string,
    files: Readonly<Record<string, Uint8Array>>,
    options: { branch?: string } & Partial<Pick<StandInRepository, 'access' | 'extraEntries'>> = {},
  ): string {
    const { branch = 'main', ...rest } = options;
    const hash = createHash('sha1').update(name);
    for (const [path, content] of Object.entries(files)) hash.update(path).update(content);
    const commit = hash.digest('hex');
    const repository = this.repositories.get(name) ?? { commits: {}, revisions: {} };
    repository.commits[commit] = files;
    repository.revisions[branch] = commit;
    this.repositories.set(name, { ...repository, ...rest });
    return commit;
  }

  /** Paths of files that were asked for, each once. */
  fetched(): string[] {
    return [
      ...new Set(
        this.seen.flatMap(({ path }) => /\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(path)?.[1] ?? []),
      ),
    ].map(decodeURIComponent);
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    server: 'hub' | 'cdn',
  ): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const { range, authorization } = request.headers;
    const path = url.pathname;
    this.seen.push({ method: request.method ?? '', path, range, authorization, server });
    const fault = this.faults.find((each) => each.times > 0 && each.path.test(path));
    // A redirect is not where the body fails.
    const body =
      fault !== undefined &&
      (typeof fault.kind === 'string' ? fault.kind !== 'web-page' : !('status' in fault.kind));
    const redirects = server === 'hub' && this.#isLarge(path);
    const hit = fault !== undefined && !(body && redirects) ? fault : undefined;
    if (hit !== undefined) hit.times--;
    if (hit !== undefined && typeof hit.kind === 'object' && 'status' in hit.kind) {
      const { status, retryAfter } = hit.kind;
      return send(response, status, 'busy', {
        ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
      });
    }
    if (hit?.kind === 'web-page')
      return send(response, 200, '<html>Welcome to the café</html>', {
        'content-type': 'text/html',
      });
    if (server === 'cdn') return this.#content(request, response, path, hit);
    const api = /^\/api\/models\/(.+?)\/(revision|tree)\/([^/]+)$/.exec(path);
    const file = /^\/([^/]+(?:\/[^/]+)?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const name = api?.[1] ?? file?.[1] ?? '';
    const repository = this.repositories.get(name);
    const allowed = authorization === `Bearer ${TOKEN}`;
    if (authorization !== undefined && !allowed)
      return send(response, 401, '{"error":"Invalid credentials in Authorization header"}');
    if (repository === undefined || (repository.access === 'private' && !allowed)) {
      // As the real one: whether a private repository exists is not told.
      return allowed
        ? send(response, 404, '{"error":"Repository not found"}', {
            'x-error-code': 'RepoNotFound',
          })
        : send(response, 401, '{"error":"Invalid username or password."}');
    }
    const revision = decodeURIComponent(api?.[3] ?? file?.[2] ?? '');
    const commit = repository.revisions[revision] ?? revision;
    const files = repository.commits[commit];
    if (files === undefined) {
      return send(response, 404, '{"error":"Invalid rev id"}', {
        'x-error-code': 'RevisionNotFound',
      });
    }
    if (api?.[2] === 'revision') {
      const gated = repository.access === 'gated' ? 'auto' : false;
      return send(response, 200, JSON.stringify({ _id: '1', id: name, sha: commit, gated }));
    }
    if (api?.[2] === 'tree') return this.#tree(response, url, repository, files);
    if (repository.access === 'gated' && !allowed) {
      return send(response, 401, 'Access to this model is restricted.', {
        'x-error-code': 'GatedRepo',
      });
    }
    const filePath = decodeURIComponent(file?.[3] ?? '');
    const content = files[filePath];
    if (content === undefined)
      return send(response, 404, 'Entry not found', { 'x-error-code': 'EntryNotFound' });
    response.setHeader('x-repo-commit', commit);
    if (content.length < LARGE) {
      response.setHeader('etag', `"${gitHash(content)}"`);
      return this.#body(request, response, content, hit);
    }
    const hash = sha256(content);
    return send(response, 302, '', {
      location: `${addressOf(this.#cdn)}/${hash}/${filePath.split('/').map(encodeURIComponent).join('/')}`,
      'x-linked-etag': `"${hash}"`,
      'x-linked-size': String(content.length),
    });
  }

  #isLarge(path: string): boolean {
    const file = /^\/([^/]+(?:\/[^/]+)?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const files = this.repositories.get(file?.[1] ?? '')?.commits[file?.[2] ?? ''];
    return (files?.[decodeURIComponent(file?.[3] ?? '')]?.length ?? 0) >= LARGE;
  }

  #tree(
    response: ServerResponse,
    url: URL,
    repository: StandInRepository,
    files: Readonly<Record<string, Uint8Array>>,
  ): void {
    const folders = new Set(
      Object.keys(files).flatMap((path) => {
        const parts = path.split('/').slice(0, -1);
        return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
      }),
    );
    const entries: unknown[] = [
      ...[...folders].map((path) => ({ type: 'directory', oid: '', size: 0, path })),
      ...Object.entries(files).map(([path, content]) => ({
        type: 'file',
        path,
        size: content.length,
        oid: gitHash(content),
        ...(content.length >= LARGE && {
          lfs: { oid: sha256(content), size: content.length, pointerSize: 130 },
        }),
      })),
      ...(repository.extraEntries ?? []),
    ];
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const next = from + this.pageSize;
    if (next < entries.length) {
      const link = new URL(url.pathname, this.url);
      link.searchParams.set('recursive', 'true');
      link.searchParams.set('cursor', String(next));
      response.setHeader('link', `<${link}>; rel="next"`);
    }
    send(response, 200, JSON.stringify(entries.slice(from, next)));
  }

  #content(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    fault: Fault | undefined,
  ) {
    // As S3: a signed address together with a token is refused.
    if (request.headers.authorization !== undefined)
      return send(response, 400, 'Only one auth mechanism allowed');
    const hash = path.split('/')[1];
    for (const { commits } of this.repositories.values()) {
      for (const files of Object.values(commits)) {
        for (const content of Object.values(files)) {
          if (content.length >= LARGE && sha256(content) === hash) {
            response.setHeader('etag', `"${hash}"`);
            return this.#body(request, response, content, fault);
          }
        }
      }
    }
    send(response, 404, 'NoSuchKey');
  }

  #body(
    request: IncomingMessage,
    response: ServerResponse,
    content: Uint8Array,
    fault: Fault | undefined,
  ) {
    const kind = fault?.kind;
    const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    let body = content;
    response.setHeader('accept-ranges', 'bytes');
    if (asked !== null && kind !== 'no-ranges') {
      const from = Number(asked[1]);
      const to = Math.min(content.length - 1, asked[2] === '' ? Infinity : Number(asked[2]));
      if (from > to) return send(response, 416, '');
      body = content.subarray(from, to + 1);
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${from}-${to}/${content.length}`);
    }
    if (kind === 'wrong-bytes') body = body.map((byte) => byte ^ 0xff);
    response.setHeader('content-length', body.length);
    if (typeof kind !== 'object') {
      response.end(request.method === 'HEAD' ? undefined : body);
      return;
    }
    if ('dropAfter' in kind) {
      response.write(body.subarray(0, kind.dropAfter), () => response.socket?.destroy());
    } else if ('stallAfter' in kind) {
      response.write(body.subarray(0, kind.stallAfter));
      this.stalled++;
      response.on('close', () => this.stalled--);
    }
  }
}

/** A directory's files by their paths with slashes. */
export async function filesOf(directory: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files[relative(directory, path).split(sep).join('/')] = new Uint8Array(await readFile(path));
  }
  return files;
}

const addressOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
const gitHash = (content: Uint8Array) =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

// Checks requests against Discord's own OpenAPI document, with every schema closed: a key that
// Discord does not know is an error. Where the document is not at hand there is no checker.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { RecordedRequest } from '../../src/sandbox/types.js';

type Json = Record<string, unknown>;

/** What the document leaves out, but Discord's documentation names and takes. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  options: ['nsfw', 'file_types'],
  description: ['file_types'],
  content: ['enforce_nonce', 'tts', 'nonce', 'flags'],
};

export interface OpenapiChecker {
  /** One line per fault, empty when all is well. Refused requests (400 and 404) are checked too. */
  problems(requests: readonly RecordedRequest[]): string[];
  /** @throws Error that lists the faults */
  checkRequests(requests: readonly RecordedRequest[]): void;
  /** Faults of an answer of the sandbox's, against the schema for this status; open schemas. */
  answerProblems(method: string, path: string, status: number, body: unknown): string[];
}

const DEFAULT_PATH = fileURLToPath(
  new URL('../../../shared/discord/openapi.json', import.meta.url),
);

/** Undefined where there is no document: tests then say that they skip this check. */
export function openapiChecker(
  path: string = process.env.YLEM_OPENAPI || DEFAULT_PATH,
): OpenapiChecker | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  return new Checker(JSON.parse(text) as Json, close(JSON.parse(text)) as Json);
}

interface Operation {
  readonly pattern: string;
  readonly item: Json;
  readonly parts: readonly string[];
}

class Checker implements OpenapiChecker {
  readonly #document: Json;
  readonly #operations: Operation[];
  readonly #ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    validateSchema: false,
    allErrors: true,
  });
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(open: Json, closed: Json) {
    this.#document = open;
    this.#ajv.addSchema(open, 'open');
    this.#ajv.addSchema(closed, 'closed');
    this.#operations = Object.entries(open.paths as Json)
      .map(([pattern, item]) => ({
        pattern,
        item: item as Json,
        parts: pattern.split('/').slice(1),
      }))
      // `@original` before `{message_id}`.
      .sort((a, b) => a.pattern.split('{').length - b.pattern.split('{').length);
  }

  problems(requests: readonly RecordedRequest[]): string[] {
    return requests.flatMap((request) => {
      const name = `${request.method} ${request.path.replaceAll(/[\w-]{40,}/g, 'TOKEN')}`;
      return this.#request(request).map((problem) => `${name}: ${problem}`);
    });
  }

  checkRequests(requests: readonly RecordedRequest[]): void {
    const problems = [...new Set(this.problems(requests))];
    if (problems.length > 0) {
      throw new Error(
        `Discord's OpenAPI document forbids:\n  ${problems.slice(0, 30).join('\n  ')}`,
      );
    }
  }

  answerProblems(method: string, path: string, status: number, body: unknown): string[] {
    const found = this.#find(path);
    const operation = found?.item[method.toLowerCase()] as Json | undefined;
    if (!found || !operation) return ['no such operation'];
    const responses = operation.responses as Json;
    const key = status in responses ? String(status) : '4XX';
    if (!(key in responses)) return [`no answer with status ${status}`];
    const response = responses[key] as Json;
    if ('$ref' in response)
      return this.#validate(
        `${(response.$ref as string).slice(1)}/content/application~1json/schema`,
        'open',
        body,
      );
    if (response.content === undefined)
      return body === undefined ? [] : ['an answer without a body'];
    const pointer = [
      'paths',
      found.pattern,
      method.toLowerCase(),
      'responses',
      key,
      'content',
      'application/json',
      'schema',
    ];
    return this.#validate(toPointer(pointer), 'open', body);
  }

  #find(path: string): Operation | undefined {
    const given = path.split('/').slice(1);
    return this.#operations.find(
      ({ parts }) =>
        parts.length === given.length &&
        parts.every((part, index) => part.startsWith('{') || part === given[index]),
    );
  }

  #request(request: RecordedRequest): string[] {
    const found = this.#find(request.path);
    const method = request.method.toLowerCase();
    const operation = found?.item[method] as Json | undefined;
    if (!found || !operation) return ['there is no such operation'];
    const problems: string[] = [];
    const parameters = [found.item.parameters, operation.parameters].flatMap((list) =>
      Array.isArray(list) ? (list as Json[]) : [],
    );
    const known = parameters.filter((one) => one.in === 'query').map((one) => one.name);
    for (const key of Object.keys(request.query)) {
      if (!known.includes(key)) problems.push(`unknown query parameter ${key}`);
    }
    const required = parameters.filter((one) => one.in === 'query' && one.required === true);
    for (const one of required) {
      if (!(String(one.name) in request.query))
        problems.push(`query parameter ${String(one.name)} is missing`);
    }
    const body = operation.requestBody as Json | undefined;
    if (body === undefined) {
      if (request.body !== undefined) problems.push('a body where none is taken');
      return problems;
    }
    if (request.body === undefined) {
      if (body.required === true) problems.push('no body');
      return problems;
    }
    const pointer = [
      'paths',
      found.pattern,
      method,
      'requestBody',
      'content',
      'application/json',
      'schema',
    ];
    return [...problems, ...this.#validate(toPointer(pointer), 'closed', request.body)];
  }

  #validate(pointer: string, which: 'open' | 'closed', value: unknown): string[] {
    const reference = `${which}#${pointer}`;
    let validate = this.#validators.get(reference);
    if (!validate) {
      validate = this.#ajv.compile({ $ref: reference });
      this.#validators.set(reference, validate);
    }
    return validate(value) ? [] : describe(validate.errors ?? []);
  }

  /** paths of the document, for tests of this file */
  get paths(): readonly string[] {
    return Object.keys(this.#document.paths as Json);
  }
}

/** RFC 6901, percent-encoded for a URI's fragment. */
function toPointer(parts: readonly string[]): string {
  return parts
    .map((part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`)
    .join('');
}

/** Whole sets of alternatives fail together; told are the errors furthest inside, which are those of the alternative that was meant. */
function describe(errors: readonly ErrorObject[]): string[] {
  // In `oneOf` every alternative of another component type fails at its `type`.
  const meant = errors.filter(
    ({ keyword, instancePath }) => !(keyword === 'const' && instancePath.endsWith('/type')),
  );
  const list = meant.length > 0 ? meant : [...errors];
  const depth = Math.max(...list.map(({ instancePath }) => instancePath.split('/').length));
  const texts = list
    .filter(
      ({ instancePath, keyword }) =>
        instancePath.split('/').length === depth || keyword === 'additionalProperties',
    )
    .map(({ instancePath, message, params }) => {
      const extra = 'additionalProperty' in params ? ` (${String(params.additionalProperty)})` : '';
      return `${instancePath || '/'} ${message}${extra}`;
    });
  return [...new Set(texts)].slice(0, 8);
}

/** Every object schema with known properties takes no other ones. */
function close(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(close);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Json = {};
  for (const [key, field] of Object.entries(value)) copy[key] = close(field);
  const properties = copy.properties;
  if (
    typeof properties !== 'object' ||
    properties === null ||
    copy.additionalProperties !== undefined
  )
    return copy;
  const known = properties as Json;
  // A property that is itself called `properties` has no list of schemas below it.
  if (copy.type !== 'object' && !(Array.isArray(copy.type) && copy.type.includes('object')))
    return copy;
  for (const [mark, names] of Object.entries(ALSO)) {
    if (mark in known) for (const name of names) known[name] ??= {};
  }
  // Discord takes permissions as a string, which is how everybody sends them.
  if ('default_member_permissions' in known) known.default_member_permissions = {};
  copy.additionalProperties = false;
  return copy;
}

// Turns the body of a request into a message, or changes one with it, after Discord's checks.

import { address, checkComponents, displayedTexts, media } from './components.js';
import { ApiError, emptyMessage, isObject, type JsonObject, Problems, tooLarge } from './errors.js';
import type { IncomingFile, StoredFile } from './files.js';
import { checkAllowedMentions, mentioned, nobody } from './mentions.js';
import { APPLICATION_ID } from './people.js';
import { snowflake } from './snowflake.js';
import { Flag, type StoredMessage, type World } from './world.js';

/** A file of a multipart body: `files[index]`. */
export interface IndexedFile extends IncomingFile {
  readonly index: number;
}

/** What the path of a request decides about a new message. */
export interface Origin {
  readonly type?: number;
  readonly authorId?: string;
  readonly interactionId?: string | null;
  readonly interaction?: JsonObject | null;
  /** who asked; needed for ephemeral ones */
  readonly userId?: string;
  /** whatever the body says */
  readonly ephemeral?: boolean;
  readonly reference?: string | null;
  /** flags that may be set on creation */
  readonly flags: number;
  /** where in the body the message lies: `data` in a callback */
  readonly prefix?: readonly string[];
}

const CREATE_FLAGS = Flag.SuppressEmbeds | Flag.SuppressNotifications | Flag.V2;
export const CHANNEL_FLAGS = CREATE_FLAGS;
export const WEBHOOK_FLAGS = CREATE_FLAGS | Flag.Ephemeral;

/** @throws ApiError 400, 413 */
export async function createMessage(
  world: World,
  body: JsonObject,
  files: readonly IndexedFile[],
  origin: Origin,
): Promise<StoredMessage> {
  const problems = new Problems();
  const prefix = origin.prefix ?? [];
  const flags = flagsOf(body.flags, origin.flags, problems, [...prefix, 'flags']);
  const ephemeral = origin.ephemeral ?? (flags & Flag.Ephemeral) !== 0;
  checkFiles(world, files);
  const plan = planAttachments(body, files, [], problems, prefix);
  const v2 = (flags & Flag.V2) !== 0;
  const parts = checkParts(body, { v2, files: plan.names, problems, prefix });
  problems.check();
  const empty =
    !parts.content &&
    parts.embeds.length === 0 &&
    parts.components.length === 0 &&
    files.length === 0;
  if (empty) throw emptyMessage();
  const nonce =
    typeof body.nonce === 'string' || typeof body.nonce === 'number' ? body.nonce : null;
  return {
    id: snowflake(),
    type: origin.type ?? 0,
    authorId: origin.authorId ?? APPLICATION_ID,
    timestamp: new Date().toISOString(),
    interactionId: origin.interactionId ?? null,
    interaction: origin.interaction ?? null,
    ephemeralFor: ephemeral ? (origin.userId ?? null) : null,
    reference: origin.reference ?? referenceOf(body),
    nonce,
    content: parts.content,
    editedTimestamp: null,
    flags: (flags & ~Flag.Ephemeral) | (ephemeral ? Flag.Ephemeral : 0),
    embeds: parts.embeds,
    components: parts.components,
    attachments: await plan.store(world),
    pinged: mentioned([parts.content, ...displayedTexts(parts.components)], body.allowed_mentions),
  };
}

/** What a person writes among people: text and files, nothing that calls anybody. */
export function personMessage(
  authorId: string,
  content: string,
  attachments: StoredFile[],
): StoredMessage {
  return {
    id: snowflake(),
    type: 0,
    authorId,
    timestamp: new Date().toISOString(),
    interactionId: null,
    interaction: null,
    ephemeralFor: null,
    reference: null,
    nonce: null,
    content,
    editedTimestamp: null,
    flags: 0,
    embeds: [],
    components: [],
    attachments,
    pinged: nobody(),
  };
}

/** The message of a deferral: "is thinking ...". */
export function loadingMessage(origin: Origin): StoredMessage {
  return {
    id: snowflake(),
    type: origin.type ?? 20,
    authorId: APPLICATION_ID,
    timestamp: new Date().toISOString(),
    interactionId: origin.interactionId ?? null,
    interaction: origin.interaction ?? null,
    ephemeralFor: origin.ephemeral === true ? (origin.userId ?? null) : null,
    reference: origin.reference ?? null,
    nonce: null,
    content: '',
    editedTimestamp: null,
    flags: Flag.Loading | (origin.ephemeral === true ? Flag.Ephemeral : 0),
    embeds: [],
    components: [],
    attachments: [],
    pinged: nobody(),
  };
}

/**
 * Changes a message in place. Fields left out stay; `attachments` lists what is kept, by id, and
 * describes new files; files that it does not name are added.
 * @throws ApiError 400, 413; the message is then unchanged
 */
export async function editMessage(
  world: World,
  message: StoredMessage,
  body: JsonObject,
  files: readonly IndexedFile[],
  prefix: readonly string[] = [],
): Promise<void> {
  const problems = new Problems();
  // Flags of creation are let through unchanged; only these two can be turned on.
  const given = flagsOf(body.flags, WEBHOOK_FLAGS, problems, [...prefix, 'flags']);
  const v2 = ((message.flags | given) & Flag.V2) !== 0;
  checkFiles(world, files);
  const plan = planAttachments(body, files, message.attachments, problems, prefix);
  // What the message keeps counts as much as what the body brings.
  const merged: JsonObject = {
    ...body,
    content: body.content === undefined ? message.content : (body.content ?? ''),
    embeds: body.embeds === undefined ? message.embeds : (body.embeds ?? []),
    components: body.components === undefined ? message.components : (body.components ?? []),
  };
  const parts = checkParts(merged, { v2, files: plan.names, problems, prefix });
  problems.check();
  const wasLoading = (message.flags & Flag.Loading) !== 0;
  const empty =
    !parts.content &&
    parts.embeds.length === 0 &&
    parts.components.length === 0 &&
    plan.count === 0;
  if (empty) throw emptyMessage();
  const attachments = await plan.store(world);
  const kept = new Set(attachments.map((file) => file.id));
  for (const file of message.attachments) if (!kept.has(file.id)) world.files.remove(file.id);
  message.content = parts.content;
  message.embeds = parts.embeds;
  message.components = parts.components;
  message.attachments = attachments;
  message.flags &= ~Flag.Loading;
  if (given & Flag.V2) message.flags |= Flag.V2;
  if (body.flags !== undefined && body.flags !== null) {
    message.flags = (message.flags & ~Flag.SuppressEmbeds) | (given & Flag.SuppressEmbeds);
  }
  if (body.content !== undefined || body.components !== undefined || wasLoading) {
    const texts = [parts.content, ...displayedTexts(parts.components)];
    message.pinged = mentioned(texts, body.allowed_mentions);
  }
  // The first filling of a deferred answer is no edit, and it is what notifies.
  if (wasLoading) world.notePing(message);
  else message.editedTimestamp = new Date().toISOString();
}

function referenceOf(body: JsonObject): string | null {
  const reference = body.message_reference;
  return isObject(reference) && typeof reference.message_id === 'string'
    ? reference.message_id
    : null;
}

export function flagsOf(
  value: unknown,
  allowed: number,
  problems: Problems,
  path: readonly string[],
): number {
  if (value === undefined || value === null) return 0;
  if (!problems.integer(value, path, 0, 2 ** 31 - 1)) return 0;
  if ((value & ~allowed) !== 0) {
    problems.add(path, 'INVALID_FLAGS', `Only the flags ${allowed} may be set here.`);
    return 0;
  }
  return value;
}

function checkFiles(world: World, files: readonly IndexedFile[]): void {
  for (const file of files) if (file.bytes.length > world.attachmentLimit) throw tooLarge();
}

interface Parts {
  readonly content: string;
  readonly embeds: JsonObject[];
  readonly components: JsonObject[];
}

function checkParts(
  body: JsonObject,
  options: {
    v2: boolean;
    files: ReadonlySet<string>;
    problems: Problems;
    prefix: readonly string[];
  },
): Parts {
  const { v2, files, prefix } = options;
  // Everything below `prefix` shares one tree of errors.
  const problems = prefix.length === 0 ? options.problems : prefixed(options.problems, prefix);
  const content = problems.text(body.content, ['content'], 2000) ? body.content : '';
  const embeds = checkEmbeds(body.embeds, files, problems);
  if (v2) {
    const legacy = 'MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2';
    const text = 'The field cannot be used when using MessageFlags.IS_COMPONENTS_V2';
    if (content !== '') problems.add(['content'], legacy, text);
    if (embeds.length > 0) problems.add(['embeds'], legacy, text);
    for (const key of ['poll', 'sticker_ids']) {
      if (body[key] !== undefined && body[key] !== null) problems.add([key], legacy, text);
    }
  }
  const components = checkComponents(body.components, problems, { v2, files });
  checkAllowedMentions(body.allowed_mentions, problems, ['allowed_mentions']);
  if (typeof body.nonce === 'string') problems.text(body.nonce, ['nonce'], 25);
  return { content, embeds, components };
}

function prefixed(problems: Problems, prefix: readonly string[]): Problems {
  const view = Object.create(problems) as Problems;
  view.add = (path, code, message) => problems.add([...prefix, ...path], code, message);
  return view;
}

const EMBED_TEXTS = { title: 256, description: 4096 } as const;
/** Characters of all embeds of a message. */
const EMBEDS_TEXT = 6000;

function checkEmbeds(value: unknown, files: ReadonlySet<string>, problems: Problems): JsonObject[] {
  const list = problems.list(value, ['embeds'], 10);
  let total = 0;
  const measure = (text: unknown, path: (string | number)[], max: number, min = 0) => {
    if (problems.text(text, path, max, min)) total += [...text].length;
  };
  const embeds = list.flatMap((one, index) => {
    const path = ['embeds', index];
    const embed = problems.object(one, path);
    if (!embed) return [];
    for (const [key, max] of Object.entries(EMBED_TEXTS)) measure(embed[key], [...path, key], max);
    if (isObject(embed.footer)) measure(embed.footer.text, [...path, 'footer', 'text'], 2048, 1);
    if (isObject(embed.author)) measure(embed.author.name, [...path, 'author', 'name'], 256, 1);
    problems.integer(embed.color, [...path, 'color'], 0, 0xffffff);
    problems.list(embed.fields, [...path, 'fields'], 25).forEach((field, at) => {
      const found = problems.object(field, [...path, 'fields', at]);
      if (!found) return;
      measure(found.name, [...path, 'fields', at, 'name'], 256, 1);
      measure(found.value, [...path, 'fields', at, 'value'], 1024, 1);
    });
    if (typeof embed.url === 'string') address(embed.url, [...path, 'url'], { problems });
    for (const key of ['image', 'thumbnail'] as const) {
      if (embed[key] !== undefined && embed[key] !== null)
        media(embed[key], [...path, key], { problems, files });
    }
    return [{ type: 'rich', ...embed }];
  });
  if (total > EMBEDS_TEXT) {
    problems.add(
      ['embeds'],
      'MAX_EMBED_SIZE_EXCEEDED',
      `Embed size exceeds maximum size of ${EMBEDS_TEXT}`,
    );
  }
  return embeds;
}

interface AttachmentPlan {
  /** names that `attachment://` may point to */
  readonly names: ReadonlySet<string>;
  /** attachments that the message will have */
  readonly count: number;
  store(world: World): Promise<StoredFile[]>;
}

function planAttachments(
  body: JsonObject,
  files: readonly IndexedFile[],
  present: readonly StoredFile[],
  problems: Problems,
  prefix: readonly string[],
): AttachmentPlan {
  const path = [...prefix, 'attachments'];
  const given = body.attachments;
  const kept: StoredFile[] = [];
  const fresh = new Map<number, { filename?: string; description?: string }>();
  if (given === undefined) kept.push(...present);
  problems.list(given, path, 10).forEach((one, index) => {
    const entry = problems.object(one, [...path, index]);
    if (!entry) return;
    problems.text(entry.description, [...path, index, 'description'], 1024);
    problems.text(entry.filename, [...path, index, 'filename'], 1024);
    const description =
      typeof entry.description === 'string' ? { description: entry.description } : {};
    const old = present.find((file) => file.id === String(entry.id));
    if (old) {
      kept.push({ ...old, ...description });
    } else if (files.some((file) => String(file.index) === String(entry.id))) {
      const filename = typeof entry.filename === 'string' ? { filename: entry.filename } : {};
      fresh.set(Number(entry.id), { ...filename, ...description });
    } else {
      problems.add([...path, index], 'ATTACHMENT_NOT_FOUND', 'The attachment was not found');
    }
  });
  const count = kept.length + files.length;
  if (count > 10) problems.add(path, 'BASE_TYPE_MAX_LENGTH', 'Must be 10 or fewer in length.');
  const names = new Set(kept.map((file) => file.filename));
  for (const file of files) names.add(fresh.get(file.index)?.filename ?? file.name);
  return {
    names,
    count,
    async store(world) {
      const added: StoredFile[] = [];
      for (const file of files) added.push(await world.files.put(file, fresh.get(file.index)));
      return [...kept, ...added];
    },
  };
}

/** The JSON body of a call that needs one. */
export function objectBody(body: unknown): JsonObject {
  if (body === undefined || body === null) return {};
  if (isObject(body)) return body;
  throw new ApiError(400, 50035, 'Invalid Form Body', {
    _errors: [
      { code: 'MODEL_TYPE_CONVERT', message: 'Only dictionaries may be used in a ModelType' },
    ],
  });
}

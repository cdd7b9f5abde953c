// Between rows and values. What is stored as JSON is checked on its way in and on its way out.

import * as v from 'valibot';
import { type GenerationParameters, type KeptStep, SCHEDULER_NAMES } from '../pipeline/types.js';
import type { Generation, NewGeneration, OpenAnswer, ReplyTarget, StoredFile } from './types.js';

const number = v.pipe(v.number(), v.finite());
const whole = v.pipe(v.number(), v.safeInteger());
const atLeast = (minimum: number) => v.pipe(whole, v.minValue(minimum));
const seed = v.pipe(atLeast(0), v.maxValue(0xffff_ffff));
const name = v.pipe(v.string(), v.minLength(1));

/** JSON text of what the schema wants. */
const json = <T extends v.GenericSchema>(schema: T) => v.pipe(v.string(), v.parseJson(), schema);

/** Loose: a parameter that a later version adds is kept. */
const PARAMETERS = v.looseObject({
  prompt: v.string(),
  negativePrompt: v.string(),
  seed,
  steps: atLeast(1),
  guidanceScale: number,
  width: atLeast(1),
  height: atLeast(1),
  scheduler: v.exactOptional(v.picklist(SCHEDULER_NAMES)),
}) satisfies v.GenericSchema<GenerationParameters>;

const REPLY = v.object({
  applicationId: v.string(),
  interactionId: v.string(),
  interactionToken: v.string(),
  tokenExpiresAt: number,
  channelId: v.string(),
  guildId: v.nullable(v.string()),
  ephemeral: v.boolean(),
  locale: v.string(),
  attachmentLimit: v.pipe(number, v.minValue(0)),
  pressed: v.exactOptional(v.boolean()),
  relief: v.exactOptional(
    v.object({
      interactionId: v.string(),
      interactionToken: v.string(),
      tokenExpiresAt: number,
      channelId: v.string(),
    }),
  ),
}) satisfies v.GenericSchema<Omit<ReplyTarget, 'messageId'>>;

const OPEN_ANSWER = v.object({
  applicationId: v.string(),
  interactionId: v.string(),
  interactionToken: v.string(),
  tokenExpiresAt: number,
  channelId: v.string(),
  ephemeral: v.boolean(),
  locale: v.string(),
}) satisfies v.GenericSchema<OpenAnswer>;

const OPEN_ANSWER_ROW = v.object({ answer: json(OPEN_ANSWER) });

const ROW = v.object({
  id: name,
  user_id: v.string(),
  parameters: json(PARAMETERS),
  model: v.string(),
  parent_id: v.nullable(v.string()),
  parent_relation: v.nullable(v.picklist(['reroll', 'vary', 'branch', 'chance', 'edit'])),
  branch_step: v.nullable(atLeast(0)),
  branch_seed: v.nullable(seed),
  reply: json(REPLY),
  message_id: v.nullable(v.string()),
  created_at: number,
  state: v.picklist(['queued', 'running', 'done', 'stopped', 'cancelled', 'failed']),
  started_at: v.nullable(number),
  ended_at: v.nullable(number),
  step_index: whole,
  step_total: whole,
  failure: v.nullable(v.string()),
  infotext: v.nullable(v.string()),
  changed: v.nullable(number),
  flagged: whole,
  delivered: whole,
  delivery_started_at: v.nullable(number),
  has_file: whole,
  init_image: v.nullable(v.string()),
  init_mask: v.nullable(v.string()),
});

const STEP_ROW = v.object({
  step: whole,
  total: whole,
  timestep: number,
  dims: json(v.array(atLeast(1))),
  latents: v.instance(Uint8Array),
  predicted_original: v.instance(Uint8Array),
});

const FILE_ROW = v.object({
  type: v.string(),
  width: whole,
  height: whole,
  bytes: v.instance(Uint8Array),
});

/** What a value is bound to in a statement. */
export type Bound = string | number | null;

/** The values of a new row, in the order of `NEW_COLUMNS`. Throws TypeError for what no row may hold. */
export function newRow(generation: NewGeneration): Bound[] {
  const { messageId, ...reply } = generation.reply;
  const parameters = parsed(PARAMETERS, generation.parameters);
  return [
    parsed(name, generation.id),
    generation.userId,
    JSON.stringify(parameters),
    generation.model,
    generation.parentId,
    generation.parentRelation,
    generation.branchStep,
    generation.branchSeed,
    JSON.stringify(parsed(REPLY, reply)),
    messageId,
    generation.createdAt,
    parameters.steps,
  ];
}

export const NEW_COLUMNS =
  'id, user_id, parameters, model, parent_id, parent_relation, branch_step, branch_seed, reply, message_id, created_at, step_total';

/** A reply as two values: its JSON and its message. */
export function replyRow(target: ReplyTarget): [string, string | null] {
  const { messageId, ...reply } = target;
  return [JSON.stringify(parsed(REPLY, reply)), messageId];
}

export function answerRow(answer: OpenAnswer): string {
  return JSON.stringify(parsed(OPEN_ANSWER, answer));
}

export function answerOf(row: unknown): OpenAnswer {
  return parsed(OPEN_ANSWER_ROW, row).answer;
}

export function generationOf(row: unknown): Generation {
  const r = parsed(ROW, row);
  return {
    id: r.id,
    userId: r.user_id,
    parameters: r.parameters,
    model: r.model,
    parentId: r.parent_id,
    parentRelation: r.parent_relation,
    branchStep: r.branch_step,
    branchSeed: r.branch_seed,
    reply: { ...r.reply, messageId: r.message_id },
    createdAt: r.created_at,
    state: r.state,
    startedAt: r.started_at,
    endedAt: r.ended_at,
    stepIndex: r.step_index,
    stepTotal: r.step_total,
    failure: r.failure,
    infotext: r.infotext,
    changed: r.changed,
    flagged: r.flagged !== 0,
    delivered: r.delivered !== 0,
    deliveryStartedAt: r.delivery_started_at,
    hasFile: r.has_file !== 0,
    hasInit: r.init_image !== null,
    hasMask: r.init_mask !== null,
  };
}

export function stepOf(row: unknown): KeptStep {
  const r = parsed(STEP_ROW, row);
  return {
    index: r.step,
    total: r.total,
    timestep: r.timestep,
    dims: r.dims,
    latents: halves(r.latents),
    predictedOriginal: halves(r.predicted_original),
  };
}

export function fileOf(row: unknown): StoredFile {
  return parsed(FILE_ROW, row);
}

/** @throws RangeError when the tensors do not have the shape that `dims` gives */
export function checkStep(step: KeptStep): void {
  const length = step.dims.reduce((product, dim) => product * dim, 1);
  for (const name of ['latents', 'predictedOriginal'] as const) {
    if (step[name].length !== length) {
      throw new RangeError(
        `Expected \`${name}\` to have ${length} values for [${step.dims.join(', ')}], got ${step[name].length}`,
      );
    }
  }
}

/** fp16 bits from bytes, little endian as every platform of Node's is but s390x. */
function halves(bytes: Uint8Array): Uint16Array {
  const whole = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint16Array(whole.buffer, whole.byteOffset, whole.byteLength / 2);
}

/** @throws TypeError that says where the value is not what the schema wants */
function parsed<T extends v.GenericSchema>(schema: T, value: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new TypeError(`${v.getDotPath(issue) ?? 'value'}: ${issue.message}`);
}

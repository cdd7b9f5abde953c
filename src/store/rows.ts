// Between rows and values. What is stored as JSON is checked on its way in and on its way out.

import { z } from 'zod';
import {
  type ExactStep,
  type GenerationParameters,
  type KeptStep,
  SCHEDULER_NAMES,
} from '../pipeline/types.js';
import type { Generation, NewGeneration, OpenAnswer, ReplyTarget, StoredFile } from './types.js';

const seed = z.int().min(0).max(0xffff_ffff);

/** Loose: a parameter that a later version adds is kept. */
const PARAMETERS = z.looseObject({
  prompt: z.string(),
  negativePrompt: z.string(),
  seed,
  steps: z.int().min(1),
  guidanceScale: z.number(),
  width: z.int().min(1),
  height: z.int().min(1),
  scheduler: z.exactOptional(z.enum(SCHEDULER_NAMES)),
}) satisfies z.ZodType<GenerationParameters>;

const REPLY = z.object({
  applicationId: z.string(),
  interactionId: z.string(),
  interactionToken: z.string(),
  tokenExpiresAt: z.number(),
  channelId: z.string(),
  guildId: z.string().nullable(),
  ephemeral: z.boolean(),
  locale: z.string(),
  attachmentLimit: z.number().min(0),
  pressed: z.exactOptional(z.boolean()),
  relief: z.exactOptional(
    z.object({
      interactionId: z.string(),
      interactionToken: z.string(),
      tokenExpiresAt: z.number(),
      channelId: z.string(),
    }),
  ),
}) satisfies z.ZodType<Omit<ReplyTarget, 'messageId'>>;

const OPEN_ANSWER = z.object({
  applicationId: z.string(),
  interactionId: z.string(),
  interactionToken: z.string(),
  tokenExpiresAt: z.number(),
  channelId: z.string(),
  ephemeral: z.boolean(),
  locale: z.string(),
}) satisfies z.ZodType<OpenAnswer>;

const OPEN_ANSWER_ROW = z.object({ answer: json(OPEN_ANSWER) });

const ROW = z.object({
  id: z.string().min(1),
  user_id: z.string(),
  parameters: json(PARAMETERS),
  model: z.string(),
  parent_id: z.string().nullable(),
  parent_relation: z.enum(['reroll', 'vary', 'branch', 'edit']).nullable(),
  branch_step: z.int().min(0).nullable(),
  branch_seed: seed.nullable(),
  reply: json(REPLY),
  message_id: z.string().nullable(),
  created_at: z.number(),
  state: z.enum(['queued', 'running', 'done', 'stopped', 'cancelled', 'failed']),
  started_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  step_index: z.int(),
  step_total: z.int(),
  failure: z.string().nullable(),
  infotext: z.string().nullable(),
  delivered: z.int(),
  delivery_started_at: z.number().nullable(),
  has_file: z.int(),
  init_image: z.string().nullable(),
  init_mask: z.string().nullable(),
});

const STEP_ROW = z.object({
  step: z.int(),
  total: z.int(),
  timestep: z.number(),
  dims: json(z.array(z.int().min(1))),
  latents: z.instanceof(Uint8Array),
  predicted_original: z.instanceof(Uint8Array),
});

const FILE_ROW = z.object({
  type: z.string(),
  width: z.int(),
  height: z.int(),
  bytes: z.instanceof(Uint8Array),
});

/** What a value is bound to in a statement. */
export type Bound = string | number | null;

/** The values of a new row, in the order of `NEW_COLUMNS`. Throws ZodError for what no row may hold. */
export function newRow(generation: NewGeneration): Bound[] {
  const { messageId, ...reply } = generation.reply;
  const parameters = PARAMETERS.parse(generation.parameters);
  return [
    z.string().min(1).parse(generation.id),
    generation.userId,
    JSON.stringify(parameters),
    generation.model,
    generation.parentId,
    generation.parentRelation,
    generation.branchStep,
    generation.branchSeed,
    JSON.stringify(REPLY.parse(reply)),
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
  return [JSON.stringify(REPLY.parse(reply)), messageId];
}

export function answerRow(answer: OpenAnswer): string {
  return JSON.stringify(OPEN_ANSWER.parse(answer));
}

export function answerOf(row: unknown): OpenAnswer {
  return OPEN_ANSWER_ROW.parse(row).answer;
}

export function generationOf(row: unknown): Generation {
  const r = ROW.parse(row);
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
    delivered: r.delivered !== 0,
    deliveryStartedAt: r.delivery_started_at,
    hasFile: r.has_file !== 0,
    hasInit: r.init_image !== null,
    hasMask: r.init_mask !== null,
  };
}

export function stepOf(row: unknown): KeptStep {
  const r = STEP_ROW.parse(row);
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
  return FILE_ROW.parse(row);
}

/** @throws RangeError when the tensors do not have the shape that `dims` gives */
export function checkStep(step: ExactStep): void {
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

function json<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue('no JSON');
        return z.NEVER;
      }
    })
    .pipe(schema as z.ZodType<z.output<T>, unknown>);
}

// Where the picture of a button or a message is known from: the store, or the parameters that its PNG
// carries.

import type { Message, MessageComponentInteraction, ModalSubmitInteraction } from 'discord.js';
import { ComponentType, PermissionFlagsBits } from 'discord-api-types/v10';
import { parseCustomId } from '../discord/custom-id.js';
import { UserError } from '../errors.js';
import { pictureKind } from '../image-size.js';
import { readInfotext } from '../pipeline/image/carried.js';
import { parseInfotext } from '../pipeline/image/infotext.js';
import type { GenerationParameters } from '../pipeline/types.js';
import type { Generation } from '../store/types.js';
import { fetchAttachment, looksLikePicture, type SentFile } from './attachments.js';
import { schedulersFor } from './fitting.js';
import { nearestSize, parametersFor } from './parameters.js';
import type { Bot } from './types.js';

export function unknownGeneration(): UserError {
  return new UserError('unknown-generation', 'I no longer know this picture.');
}

/** @throws UserError when the store no longer has it */
export async function knownGeneration(bot: Bot, id: string): Promise<Generation> {
  const generation = await bot.store.get(id);
  if (generation === undefined) throw unknownGeneration();
  return generation;
}

/**
 * The id of the picture that a message of the bot's own is about, be it the picture or its steps, as
 * its buttons name it. Undefined for other people's messages, which may hold anything.
 */
export function generationIn({ author, client, components }: Message): string | undefined {
  if (author.id !== client.user.id) return undefined;
  for (const row of components) {
    if (row.type !== ComponentType.ActionRow) continue;
    for (const { customId } of row.components) {
      const pressed = customId === null ? undefined : parseCustomId(customId);
      if (pressed !== undefined) return pressed.generation;
    }
  }
  return undefined;
}

/** Throws UserError unless it is the person's own or they moderate the channel. */
export function checkManages(
  interaction: MessageComponentInteraction,
  ownerId: string | undefined,
): void {
  if (interaction.user.id === ownerId) return;
  if (interaction.memberPermissions?.has(PermissionFlagsBits.ManageMessages)) return;
  throw new UserError(
    'not-yours',
    'Only the one who asked for this picture, or a moderator, can do that.',
  );
}

/** The person who asked for the message that a button stands on, as Discord knows it. */
export function askedBy(interaction: MessageComponentInteraction): string | undefined {
  return interaction.message.interactionMetadata?.user.id;
}

/**
 * The parameters of the picture under a button: from the store, else from the picture itself, so that
 * any message can be painted again for ever.
 */
export async function parametersOf(
  bot: Bot,
  id: string,
  interaction: MessageComponentInteraction | ModalSubmitInteraction,
): Promise<{ parameters: GenerationParameters; generation: Generation | undefined }> {
  const generation = await bot.store.get(id);
  if (generation !== undefined) return { parameters: generation.parameters, generation };
  const attachment = interaction.message?.attachments.find(looksLikePicture);
  if (attachment === undefined) throw unknownGeneration();
  const parameters = await parametersIn(bot, attachment);
  if (parameters === undefined) throw unknownGeneration();
  return { parameters, generation: undefined };
}

/**
 * What a picture's file says of how it was made, as this program, A1111 and their relatives write it.
 * Without the strength: the init image that it belongs to is not in the file.
 * @returns undefined where it says nothing
 * @throws UserError when it cannot be fetched, when its bytes are no picture, or when this host does
 *   not paint such a picture
 */
export async function parametersIn(
  bot: Bot,
  file: SentFile,
): Promise<GenerationParameters | undefined> {
  const infotext = infotextIn(await fetchAttachment(file.url, bot.attachmentHosts));
  if (infotext === undefined) return undefined;
  const { width, height, scheduler, values, ...read } = parseInfotext(infotext);
  const name = values.get('Model');
  const offered = bot.engines.offered.find((model) => model.name === name);
  const info = offered ?? (await bot.engines.model());
  // A name that is known here is the model's own scheduler with its own settings, or one of ours;
  // any other program's, or another model's, is painted with what the model has.
  const known = schedulersFor(info).find(
    (one) => one === scheduler && one !== info.defaultScheduler,
  );
  return parametersFor(
    {
      ...read,
      // Other programs paint sizes that this model may not: the nearest will do.
      ...(width === undefined || height === undefined
        ? {}
        : { size: nearestSize({ width, height }, info, bot.rules.limits) }),
      steps: read.steps && Math.min(read.steps, bot.rules.limits.steps.max),
      scheduler: known,
      // Most exports cannot leave out layers of the text encoder; near is better than not at all.
      clipSkip: info.skipsClip ? read.clipSkip : undefined,
      strength: undefined,
      model: offered?.name,
    },
    info,
    bot.rules,
  );
}

/**
 * Read here and at once: a file of 25 MiB that waited for the engine would lie in memory meanwhile.
 * @throws UserError 'unknown-format'
 */
function infotextIn(file: Uint8Array): string | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (pictureKind(bytes) === undefined) {
    throw new UserError(
      'unknown-format',
      'The file of this picture is no PNG, JPEG, WebP or GIF; I can read no other kind.',
    );
  }
  return readInfotext(bytes);
}

// Where a button's picture is known from: the store, or the parameters that its PNG carries.

import type { MessageComponentInteraction } from 'discord.js';
import { PermissionFlagsBits } from 'discord-api-types/v10';
import { UserError } from '../errors.js';
import { parseInfotext } from '../pipeline/image/infotext.js';
import type { GenerationParameters } from '../pipeline/types.js';
import type { Generation } from '../store/types.js';
import { parametersFor } from './parameters.js';
import type { Bot } from './types.js';

/** bytes that a picture fetched back from Discord may have */
const FETCH_BYTES = 25 * 1024 * 1024;
/** ms within which it must be here */
const FETCH_TIME = 10_000;

export function unknownGeneration(): UserError {
  return new UserError('unknown-generation', 'I no longer know this picture.');
}

/** @throws UserError when the store no longer has it */
export async function knownGeneration(bot: Bot, id: string): Promise<Generation> {
  const generation = await bot.store.get(id);
  if (generation === undefined) throw unknownGeneration();
  return generation;
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
 * The parameters of the picture under a button: from the store, else from the PNG itself, so that
 * any message can be painted again for ever.
 */
export async function parametersOf(
  bot: Bot,
  id: string,
  interaction: MessageComponentInteraction,
): Promise<{ parameters: GenerationParameters; generation: Generation | undefined }> {
  const generation = await bot.store.get(id);
  if (generation !== undefined) return { parameters: generation.parameters, generation };
  const attachment = interaction.message.attachments.find((file) => file.name.endsWith('.png'));
  if (attachment === undefined) throw unknownGeneration();
  const png = await fetchAttachment(attachment.url, bot.attachmentHosts);
  const infotext = await bot.engines.any().readInfotext(png);
  if (infotext === undefined) throw unknownGeneration();
  const { width, height, scheduler, ...read } = parseInfotext(infotext);
  const info = bot.engines.info ?? (await bot.engines.ready());
  const size = width === undefined || height === undefined ? undefined : `${width}x${height}`;
  const own = scheduler === info.defaultScheduler; // the model's own has its own settings
  const given = { ...read, size, scheduler: own ? undefined : scheduler };
  const parameters = parametersFor(given, info, bot.rules);
  return { parameters, generation: undefined };
}

/**
 * Fetches a file from an allowed host, within size and time, following no redirect.
 * @param hosts such as cdn.discordapp.com or 127.0.0.1:4000
 * @throws UserError when the host is not allowed or the file cannot be had
 */
export async function fetchAttachment(
  address: string,
  hosts: readonly string[],
): Promise<Uint8Array> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const local = url !== undefined && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname);
  const scheme = url?.protocol === 'https:' || (url?.protocol === 'http:' && local);
  if (url === undefined || !scheme || !hosts.includes(url.host)) throw unknownGeneration();
  let response: Response;
  try {
    response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIME) });
    if (!response.ok || response.body === null) throw unknownGeneration();
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > FETCH_BYTES) throw unknownGeneration();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unknownGeneration(); // the address stays out of the log: it is signed
  }
}

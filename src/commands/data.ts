// Helpers for what commands tell Discord about themselves, in every locale.

import type { APIApplicationCommandOptionChoice } from 'discord-api-types/v10';
import { ApplicationIntegrationType, InteractionContextType } from 'discord-api-types/v10';

/** English, German, French. */
export type Words = readonly [english: string, german: string, french: string];

/** A description, at most 100 characters in each locale. */
export function described([english, de, fr]: Words) {
  return { description: english, description_localizations: { de, fr } };
}

/** A name; those of options and commands are lower case without spaces, at most 32 characters. */
export function named([english, de, fr]: Words) {
  return { name: english, name_localizations: { de, fr } };
}

/** A choice with one value for all locales. */
export function choice<T extends string | number>(
  value: T,
  words: Words,
): APIApplicationCommandOptionChoice<T> {
  return { ...named(words), value };
}

/** Servers and direct messages with the bot. */
export const EVERYWHERE = {
  integration_types: [ApplicationIntegrationType.GuildInstall],
  contexts: [InteractionContextType.Guild, InteractionContextType.BotDM],
};

// /imagine: paints a prompt, or nothing but noise and what the model makes of it.

import { ApplicationCommandOptionType } from 'discord-api-types/v10';
import { SCHEDULER_NAMES } from '../pipeline/types.js';
import { described, EVERYWHERE, named } from './data.js';
import { modelOf } from './engines.js';
import { commonSizes, parametersFor } from './parameters.js';
import type { SlashCommand } from './types.js';
import { checkCount, wishesFor } from './wishes.js';

export const imagine: SlashCommand = {
  data: ({ steps }) => ({
    name: 'imagine',
    ...described([
      'Paint a picture from noise',
      'Ein Bild aus Rauschen malen',
      'Peindre une image à partir de bruit',
    ]),
    ...EVERYWHERE,
    options: [
      {
        type: ApplicationCommandOptionType.String,
        ...named(['prompt', 'prompt', 'prompt']),
        ...described([
          'What to paint; leave it out and see what the model dreams of',
          'Was gemalt werden soll; ohne Angabe träumt das Modell frei',
          'Ce qu’il faut peindre ; sans lui, le modèle rêve librement',
        ]),
        max_length: 6000,
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['negative', 'negativ', 'négatif']),
        ...described([
          'What to keep out of it',
          'Was nicht darin vorkommen soll',
          'Ce qui ne doit pas y être',
        ]),
        max_length: 6000,
      },
      {
        type: ApplicationCommandOptionType.Integer,
        ...named(['seed', 'seed', 'graine']),
        ...described([
          'The same seed gives the same picture (0 to 4294967295)',
          'Derselbe Seed gibt dasselbe Bild (0 bis 4294967295)',
          'La même graine donne la même image (0 à 4294967295)',
        ]),
        min_value: 0,
        max_value: 4_294_967_295,
      },
      {
        type: ApplicationCommandOptionType.Integer,
        ...named(['steps', 'schritte', 'étapes']),
        ...described([
          `Denoising steps (${steps.min} to ${steps.max})`,
          `Entrauschungsschritte (${steps.min} bis ${steps.max})`,
          `Étapes de débruitage (${steps.min} à ${steps.max})`,
        ]),
        min_value: steps.min,
        max_value: steps.max,
      },
      {
        type: ApplicationCommandOptionType.Number,
        ...named(['guidance', 'guidance', 'guidage']),
        ...described([
          'How closely to follow the prompt (1 to 30)',
          'Wie eng am Prompt gemalt wird (1 bis 30)',
          'Fidélité au prompt (1 à 30)',
        ]),
        min_value: 1,
        max_value: 30,
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['size', 'größe', 'taille']),
        ...described([
          'Width x height in pixels',
          'Breite x Höhe in Pixeln',
          'Largeur x hauteur en pixels',
        ]),
        autocomplete: true,
        max_length: 20,
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['scheduler', 'scheduler', 'scheduler']),
        ...described([
          'The way from noise to picture; the model has its own',
          'Der Weg vom Rauschen zum Bild; das Modell hat einen eigenen',
          'Le chemin du bruit à l’image ; le modèle a le sien',
        ]),
        autocomplete: true,
        max_length: 40,
      },
      {
        type: ApplicationCommandOptionType.Integer,
        ...named(['count', 'anzahl', 'nombre']),
        ...described([
          'How many, with seeds in a row (1 to 4)',
          'Wie viele, mit aufeinanderfolgenden Seeds (1 bis 4)',
          'Combien, avec des graines consécutives (1 à 4)',
        ]),
        min_value: 1,
        max_value: 4,
      },
      {
        type: ApplicationCommandOptionType.Boolean,
        ...named(['private', 'privat', 'privé']),
        ...described(['Show it to me alone', 'Nur mir zeigen', 'Ne la montrer qu’à moi']),
      },
    ],
  }),

  async execute(interaction, exchange, bot) {
    const { options } = interaction;
    const ephemeral = options.getBoolean('private') ?? false;
    const info = await modelOf(bot.engines, exchange, ephemeral);
    const parameters = parametersFor(
      {
        prompt: options.getString('prompt') ?? '',
        negativePrompt: options.getString('negative') ?? undefined,
        seed: options.getInteger('seed') ?? undefined,
        steps: options.getInteger('steps') ?? undefined,
        guidanceScale: options.getNumber('guidance') ?? undefined,
        size: options.getString('size') ?? undefined,
        scheduler: options.getString('scheduler') ?? undefined,
      },
      info,
      bot.rules,
    );
    const count = checkCount(options.getInteger('count') ?? 1);
    await bot.generations.begin(exchange, wishesFor(parameters, count), ephemeral);
  },

  async complete(interaction, exchange, bot) {
    const focused = interaction.options.getFocused(true);
    const typed = focused.value.trim().toLowerCase();
    const info = bot.engines.info;
    const known =
      focused.name === 'scheduler'
        ? [...SCHEDULER_NAMES]
        : info === undefined
          ? []
          : commonSizes(info, bot.rules.limits);
    await exchange.choices(
      known
        .filter((value) => value.toLowerCase().includes(typed))
        .map((value) => ({
          name: value === info?.defaultScheduler ? `${value} (${info.name})` : value,
          value,
        })),
    );
  },
};

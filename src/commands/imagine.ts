// /imagine: paints a prompt, or nothing but noise and what the model makes of it.

import { ApplicationCommandOptionType } from 'discord-api-types/v10';
import { cut } from '../discord/display.js';
import { textsFor } from '../discord/texts/index.js';
import { LIMITS } from '../pipeline/parameters.js';
import { described, EVERYWHERE, named } from './data.js';
import { modelOf } from './engines.js';
import { schedulersFor } from './fitting.js';
import { imageMissing, paintFrom } from './from-image.js';
import { commonSizes, newSeed, parametersFor } from './parameters.js';
import type { SlashCommand } from './types.js';
import { checkCount, wishesFor } from './wishes.js';

const GUIDANCE = LIMITS.guidanceScale;
const SEED = LIMITS.seed;

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
        max_length: LIMITS.promptLength,
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['negative', 'negativ', 'négatif']),
        ...described([
          'What to keep out of it',
          'Was nicht darin vorkommen soll',
          'Ce qui ne doit pas y être',
        ]),
        max_length: LIMITS.promptLength,
      },
      {
        type: ApplicationCommandOptionType.Attachment,
        ...named(['image', 'bild', 'image']),
        ...described([
          'A picture to begin from instead of noise alone',
          'Ein Bild, von dem aus gemalt wird statt aus Rauschen allein',
          'Une image dont partir, au lieu du seul bruit',
        ]),
      },
      {
        type: ApplicationCommandOptionType.Attachment,
        ...named(['mask', 'maske', 'masque']),
        ...described([
          'Where the image is painted anew: white; black is kept',
          'Wo das Bild neu gemalt wird: weiß; Schwarzes bleibt',
          'Où l’image est repeinte : en blanc ; le noir reste',
        ]),
      },
      {
        type: ApplicationCommandOptionType.Number,
        ...named(['strength', 'stärke', 'force']),
        ...described([
          'How much of the image is painted anew (0.01 to 1)',
          'Wie viel vom Bild neu gemalt wird (0,01 bis 1)',
          'Quelle part de l’image est repeinte (0,01 à 1)',
        ]),
        min_value: 0.01,
        max_value: 1,
      },
      {
        type: ApplicationCommandOptionType.Integer,
        ...named(['seed', 'seed', 'graine']),
        ...described([
          `The same seed gives the same picture (${SEED.min} to ${SEED.max})`,
          `Derselbe Seed gibt dasselbe Bild (${SEED.min} bis ${SEED.max})`,
          `La même graine donne la même image (${SEED.min} à ${SEED.max})`,
        ]),
        min_value: SEED.min,
        max_value: SEED.max,
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
          `How closely to follow the prompt (${GUIDANCE.min} to ${GUIDANCE.max})`,
          `Wie eng am Prompt gemalt wird (${GUIDANCE.min} bis ${GUIDANCE.max})`,
          `Fidélité au prompt (${GUIDANCE.min} à ${GUIDANCE.max})`,
        ]),
        min_value: GUIDANCE.min,
        max_value: GUIDANCE.max,
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
        type: ApplicationCommandOptionType.String,
        ...named(['model', 'modell', 'modèle']),
        ...described([
          'Which model paints; /models tells what there is',
          'Welches Modell malt; /modelle sagt, welche es gibt',
          'Quel modèle peint ; /modèles dit lesquels il y a',
        ]),
        autocomplete: true,
        max_length: 100,
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
    const [image, mask] = [options.getAttachment('image'), options.getAttachment('mask')];
    const given = {
      prompt: options.getString('prompt') ?? '',
      negativePrompt: options.getString('negative') ?? undefined,
      seed: options.getInteger('seed') ?? newSeed(),
      steps: options.getInteger('steps') ?? undefined,
      guidanceScale: options.getNumber('guidance') ?? undefined,
      size: options.getString('size') ?? undefined,
      scheduler: options.getString('scheduler') ?? undefined,
      strength: options.getNumber('strength') ?? undefined,
      model: options.getString('model')?.trim() || undefined,
    };
    const count = checkCount(options.getInteger('count') ?? 1);
    if (image === null) {
      if (mask !== null || given.strength !== undefined) throw imageMissing();
      const info = await modelOf(bot.engines, exchange, ephemeral, given.model);
      const parameters = parametersFor(given, info, bot.rules);
      await bot.generations.begin(exchange, wishesFor(parameters, count), ephemeral);
      return;
    }
    await paintFrom(bot, exchange, { image, mask }, given, count, ephemeral);
  },

  async complete(interaction, exchange, bot) {
    const { name, value } = interaction.options.getFocused(true);
    const chosen = interaction.options.getString('model')?.trim().toLowerCase();
    const models = bot.engines.offered;
    const info = models.find((model) => model.name.toLowerCase() === chosen) ?? models[0];
    const own = info?.defaultScheduler;
    // What is marked as the model's own or the default stands first: 25 are shown at most.
    const choices: { name: string; value: string }[] =
      name === 'model'
        ? models.map((model) => ({
            name: cut(
              model.isDefault ? `${model.name} · ${textsFor(exchange.locale).usual}` : model.name,
              CHOICE_LENGTH,
            ),
            value: model.name,
          }))
        : name === 'scheduler'
          ? schedulersFor(info)
              .map((scheduler) => ({
                name: cut(
                  scheduler === own ? `${scheduler} · ${info?.name}` : scheduler,
                  CHOICE_LENGTH,
                ),
                value: scheduler as string,
              }))
              .sort((a, b) => Number(b.value === own) - Number(a.value === own))
          : info === undefined
            ? []
            : commonSizes(info, bot.rules.limits).map((size) => ({ name: size, value: size }));
    await exchange.choices(matching(choices, value));
  },
};

/** Characters that Discord takes of a choice's name and value. */
const CHOICE_LENGTH = 100;

/** Those that hold what was typed, the ones that begin with it first. What Discord would not take is left out. */
function matching<T extends { readonly value: string }>(choices: readonly T[], typed: string): T[] {
  const wanted = typed.trim().toLowerCase();
  const at = (choice: T) => choice.value.toLowerCase().indexOf(wanted);
  const found = choices.filter((choice) => at(choice) >= 0 && choice.value.length <= CHOICE_LENGTH);
  return [...found.filter((choice) => at(choice) === 0), ...found.filter((one) => at(one) > 0)];
}

// /steps: shows how one of your latest pictures came to be.

import { ApplicationCommandOptionType } from 'discord-api-types/v10';
import { plain } from '../discord/display.js';
import { duration, textsFor } from '../discord/texts/index.js';
import { UserError } from '../errors.js';
import type { EvolutionOptions } from '../pipeline/types.js';
import { choice, described, EVERYWHERE, named } from './data.js';
import { checkHasSteps, checkShowable, FIRST_VIEW, showView, type View } from './evolution.js';
import { nothingPainted } from './reroll.js';
import { unknownGeneration } from './source.js';
import type { SlashCommand } from './types.js';

export const steps: SlashCommand = {
  data: () => ({
    ...named(['steps', 'schritte', 'étapes']),
    ...described([
      'See how a picture of yours came to be',
      'Sehen, wie eines deiner Bilder entstand',
      'Voir comment une de vos images est née',
    ]),
    ...EVERYWHERE,
    options: [
      {
        type: ApplicationCommandOptionType.String,
        ...named(['of', 'von', 'de']),
        ...described([
          'Which picture; the newest by default',
          'Welches Bild; sonst das neueste',
          'Quelle image ; sinon la dernière',
        ]),
        autocomplete: true,
        max_length: 40,
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['view', 'ansicht', 'vue']),
        ...described(['What to show', 'Was gezeigt wird', 'Ce qu’il faut montrer']),
        choices: [
          choice('sheet', ['Contact sheet', 'Kontaktbogen', 'Planche']),
          choice('animation', ['Animation', 'Animation', 'Animation']),
          choice('changes', [
            'How much each step changed',
            'Wie viel jeder Schritt änderte',
            'Combien chaque étape a changé',
          ]),
          choice('step', ['A single step', 'Ein einzelner Schritt', 'Une seule étape']),
        ],
      },
      {
        type: ApplicationCommandOptionType.Integer,
        ...named(['frames', 'bilder', 'images']),
        ...described([
          'Frames on the sheet (4 to 64)',
          'Bilder auf dem Kontaktbogen (4 bis 64)',
          'Images sur la planche (4 à 64)',
        ]),
        min_value: 4,
        max_value: 64,
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['order', 'reihenfolge', 'ordre']),
        ...described([
          'Where the first step lies',
          'Wo der erste Schritt liegt',
          'Où se trouve la première étape',
        ]),
        choices: [
          choice('reading', [
            'Top left, as one reads',
            'Oben links, wie man liest',
            'En haut à gauche, comme on lit',
          ]),
          choice('condensing', [
            'Bottom right, up to the picture',
            'Unten rechts, hinauf zum Bild',
            'En bas à droite, vers l’image',
          ]),
        ],
      },
      {
        type: ApplicationCommandOptionType.String,
        ...named(['show', 'zeige', 'montre']),
        ...described([
          'The prediction or the noise',
          'Die Vorhersage oder das Rauschen',
          'La prédiction ou le bruit',
        ]),
        choices: [
          choice('prediction', [
            'What the model expects',
            'Was das Modell erwartet',
            'Ce que le modèle attend',
          ]),
          choice('latents', [
            'The noisy latents',
            'Die verrauschten Latents',
            'Les latents bruités',
          ]),
        ],
      },
      {
        type: ApplicationCommandOptionType.Integer,
        ...named(['step', 'schritt', 'étape']),
        ...described(['Which single step', 'Welcher einzelne Schritt', 'Quelle étape']),
        min_value: 1,
        max_value: 300,
      },
    ],
  }),

  async execute(interaction, exchange, bot) {
    const { options } = interaction;
    const id = options.getString('of');
    const frames = options.getInteger('frames') ?? FIRST_VIEW.frames;
    if (frames < 4 || frames > 64) {
      throw new UserError('frames-range', 'frames must be a whole number from 4 to 64.');
    }
    const step = options.getInteger('step');
    const view: View = {
      kind:
        (options.getString('view') as View['kind'] | null) ?? (step === null ? 'sheet' : 'step'),
      frames,
      order: (options.getString('order') as EvolutionOptions['order'] | null) ?? FIRST_VIEW.order,
      show: (options.getString('show') as EvolutionOptions['show'] | null) ?? FIRST_VIEW.show,
      step: step ?? 0,
    };
    const generation =
      id === null ? (await bot.store.latest(exchange.userId, 1, true))[0] : await bot.store.get(id);
    if (generation === undefined) throw id === null ? nothingPainted() : unknownGeneration();
    if (generation.userId !== exchange.userId && generation.reply.ephemeral)
      throw unknownGeneration();
    checkHasSteps(generation);
    checkStep(step, generation.stepIndex);
    if (view.kind !== 'changes') checkShowable(generation);
    bot.views.check(exchange.userId);
    await exchange.defer(generation.reply.ephemeral);
    await showView(bot, exchange, generation, view);
  },

  async complete(interaction, exchange, bot) {
    const typed = interaction.options.getFocused().trim().toLowerCase();
    const texts = textsFor(exchange.locale);
    const now = Date.now();
    const latest = await bot.store.latest(exchange.userId, 25, true);
    await exchange.choices(
      latest
        .filter((generation) => generation.parameters.prompt.toLowerCase().includes(typed))
        .map((generation) => {
          const age = texts.ago(duration(now - generation.createdAt, texts));
          const prompt = plain(generation.parameters.prompt, 60) || texts.noPrompt;
          return {
            name: `${prompt} · ${age} · ${generation.parameters.seed}`.slice(0, 100),
            value: generation.id,
          };
        }),
    );
  },
};

/** @throws UserError 'step-range' for a step that was not painted */
function checkStep(step: number | null, last: number): void {
  if (step === null || (step >= 1 && step <= last)) return;
  throw new UserError(
    'step-range',
    `This picture has ${last === 1 ? '1 step' : `${last} steps`}; there is no step ${step}.`,
    { step, last },
  );
}

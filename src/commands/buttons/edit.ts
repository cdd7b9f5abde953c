// Edit: a window with the picture's parameters; what is sent from it is painted as a new picture.

import type {
  APIModalInteractionResponseCallbackData,
  APITextInputComponent,
} from 'discord-api-types/v10';
import { ComponentType, MessageFlags, TextInputStyle } from 'discord-api-types/v10';
import { customId } from '../../discord/custom-id.js';
import { within } from '../../discord/patience.js';
import { capital, type Texts, textsFor } from '../../discord/texts/index.js';
import { UserError } from '../../errors.js';
import type { GenerationParameters } from '../../pipeline/types.js';
import { modelOf } from '../engines.js';
import type { Wish } from '../generations.js';
import { parametersFor, parseNumber } from '../parameters.js';
import { parametersOf } from '../source.js';
import type { ButtonFamily } from '../types.js';
import { initFrom } from '../wishes.js';

/** What a text input of Discord's holds at most. */
export const INPUT_LENGTH = 4000;
/** ms that reading a picture's file may take before its window can no longer be shown. */
const WINDOW_PATIENCE = 2000;

export const editButton: ButtonFamily = {
  verb: 'edit',

  async press(interaction, pressed, exchange, bot) {
    // A window is a first answer: it cannot come after an acknowledgement.
    const reading = parametersOf(bot, pressed.generation, interaction);
    const known = await within(WINDOW_PATIENCE, reading);
    if (known === undefined) {
      throw new UserError(
        'file-slow',
        'Reading this picture took too long; press the button again.',
      );
    }
    const { parameters, generation } = known;
    if (Math.max(parameters.prompt.length, parameters.negativePrompt.length) > INPUT_LENGTH) {
      throw new UserError(
        'prompt-too-long-to-edit',
        'This prompt is longer than the 4,000 characters that an input window holds; use /imagine.',
      );
    }
    const texts = textsFor(exchange.locale);
    const fromImage = generation?.hasInit ?? false;
    await exchange.modal(editWindow(pressed.generation, parameters, fromImage, texts));
  },

  async submit(interaction, pressed, exchange, bot) {
    const ephemeral = interaction.message?.flags.has(MessageFlags.Ephemeral) ?? false;
    const texts = textsFor(exchange.locale);
    const { fields } = interaction;
    const text = (name: string) => (fields.fields.has(name) ? fields.getTextInputValue(name) : '');
    const number = (name: string, label: string) => parseNumber(text(name), label);
    // Checked before anything is fetched.
    const [seed, steps, guidanceScale, strength] = [
      number('seed', texts.seed),
      number('steps', texts.buttons.steps),
      number('guidance', texts.guidance),
      number('strength', texts.strength),
    ];
    // A picture that is known by its file alone is fetched for what the window does not show.
    if ((await bot.store.get(pressed.generation)) === undefined) await exchange.defer(ephemeral);
    const base = await parametersOf(bot, pressed.generation, interaction);
    const { parameters: before, generation: parent } = base;
    const info = await modelOf(bot.engines, exchange, ephemeral, before.model);
    const usual = parametersFor({ prompt: '' }, info, bot.rules);
    const parameters: GenerationParameters = {
      ...before,
      prompt: text('prompt'),
      negativePrompt: text('negative'),
      seed: seed ?? usual.seed,
      steps: steps ?? usual.steps,
      ...(parent?.hasInit
        ? { strength: strength ?? before.strength ?? 1 }
        : { guidanceScale: guidanceScale ?? usual.guidanceScale }),
    };
    const wish: Wish = {
      parameters,
      ...initFrom(parent),
      ...(parent === undefined ? {} : { parent: { id: parent.id, relation: 'edit' } }),
    };
    await bot.generations.begin(exchange, [wish], ephemeral);
  },
};

/**
 * A window holds five fields. What has none stays as it was: also the guidance of a picture that
 * began from an image, where the strength has its place.
 */
function editWindow(
  id: string,
  parameters: GenerationParameters,
  fromImage: boolean,
  texts: Texts,
): APIModalInteractionResponseCallbackData {
  const third = fromImage
    ? { label: texts.strength, id: 'strength', value: parameters.strength ?? 1 }
    : { label: texts.guidance, id: 'guidance', value: parameters.guidanceScale };
  return {
    custom_id: customId('edit', id),
    title: texts.editTitle,
    components: [
      labelled(texts.editPrompt, {
        custom_id: 'prompt',
        style: TextInputStyle.Paragraph,
        value: parameters.prompt,
        max_length: INPUT_LENGTH,
      }),
      labelled(texts.editNegative, {
        custom_id: 'negative',
        style: TextInputStyle.Paragraph,
        value: parameters.negativePrompt,
        max_length: INPUT_LENGTH,
      }),
      labelled(texts.buttons.steps, {
        custom_id: 'steps',
        style: TextInputStyle.Short,
        value: String(parameters.steps),
        max_length: 3,
      }),
      labelled(third.label, {
        custom_id: third.id,
        style: TextInputStyle.Short,
        value: String(third.value),
        max_length: 20,
      }),
      labelled(texts.seed, {
        custom_id: 'seed',
        style: TextInputStyle.Short,
        value: String(parameters.seed),
        max_length: 10,
      }),
    ],
  };
}

export function labelled(label: string, input: Omit<APITextInputComponent, 'type'>) {
  return {
    type: ComponentType.Label as const,
    label: capital(label),
    component: { type: ComponentType.TextInput as const, required: false, ...input },
  };
}

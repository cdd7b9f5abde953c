// Edit: a window with the picture's parameters; what is sent from it is painted as a new picture.

import type { ModalSubmitInteraction } from 'discord.js';
import type {
  APIModalInteractionResponseCallbackData,
  APITextInputComponent,
} from 'discord-api-types/v10';
import { ComponentType, MessageFlags, TextInputStyle } from 'discord-api-types/v10';
import { customId } from '../../discord/custom-id.js';
import { type Texts, textsFor } from '../../discord/texts/index.js';
import { UserError } from '../../errors.js';
import type { GenerationParameters } from '../../pipeline/types.js';
import { modelOf } from '../engines.js';
import type { Wish } from '../generations.js';
import { parametersFor, parseNumber } from '../parameters.js';
import { parametersOf } from '../source.js';
import type { ButtonFamily } from '../types.js';

/** What a text input of Discord's holds at most. */
const INPUT_LENGTH = 4000;

export const editButton: ButtonFamily = {
  verb: 'edit',

  async press(interaction, pressed, exchange, bot) {
    const { parameters } = await parametersOf(bot, pressed.generation, interaction);
    if (Math.max(parameters.prompt.length, parameters.negativePrompt.length) > INPUT_LENGTH) {
      throw new UserError(
        'prompt-too-long-to-edit',
        'This prompt is longer than the 4,000 characters that an input window holds; use /imagine.',
      );
    }
    await exchange.modal(editWindow(pressed.generation, parameters, textsFor(exchange.locale)));
  },

  async submit(interaction, pressed, exchange, bot) {
    const ephemeral = interaction.message?.flags.has(MessageFlags.Ephemeral) ?? false;
    const parent = await bot.store.get(pressed.generation);
    const info = await modelOf(bot.engines, exchange, ephemeral, parent?.parameters.model);
    const [size, scheduler] = pressed.args;
    const texts = textsFor(exchange.locale);
    const wish: Wish = {
      parameters: parametersFor(
        {
          model: parent?.parameters.model,
          prompt: field(interaction, 'prompt'),
          negativePrompt: field(interaction, 'negative'),
          seed: parseNumber(field(interaction, 'seed'), texts.seed),
          steps: parseNumber(field(interaction, 'steps'), texts.buttons.steps),
          guidanceScale: parseNumber(field(interaction, 'guidance'), texts.guidance),
          size: size || undefined,
          scheduler: scheduler || undefined,
        },
        info,
        bot.rules,
      ),
      ...(parent === undefined ? {} : { parent: { id: parent.id, relation: 'edit' } }),
    };
    await bot.generations.begin(exchange, [wish], ephemeral);
  },
};

function field(interaction: ModalSubmitInteraction, name: string): string {
  return interaction.fields.getTextInputValue(name);
}

/** The size and the scheduler, which have no field, travel in the custom id. */
function editWindow(
  id: string,
  parameters: GenerationParameters,
  texts: Texts,
): APIModalInteractionResponseCallbackData {
  const size = `${parameters.width}x${parameters.height}`;
  return {
    custom_id: customId('edit', id, size, parameters.scheduler ?? ''),
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
      labelled(texts.guidance, {
        custom_id: 'guidance',
        style: TextInputStyle.Short,
        value: String(parameters.guidanceScale),
        max_length: 6,
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

function labelled(label: string, input: Omit<APITextInputComponent, 'type'>) {
  return {
    type: ComponentType.Label as const,
    label,
    component: { type: ComponentType.TextInput as const, required: false, ...input },
  };
}

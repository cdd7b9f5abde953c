// /models: which models there are to paint with, the default first, and what each is like.

import { display } from '../discord/display.js';
import { textOnly } from '../discord/message.js';
import { textsFor } from '../discord/texts/index.js';
import type { ModelFacts } from '../pipeline/types.js';
import { described, EVERYWHERE, named } from './data.js';
import { modelOf } from './engines.js';
import type { SlashCommand } from './types.js';

/** Characters of a message, less the line that says how many more there are. */
const MOST = 1900;

export const models: SlashCommand = {
  data: () => ({
    ...named(['models', 'modelle', 'modèles']),
    ...described([
      'Which models there are to paint with',
      'Welche Modelle es zum Malen gibt',
      'Quels modèles il y a pour peindre',
    ]),
    ...EVERYWHERE,
  }),

  async execute(_interaction, exchange, bot) {
    const texts = textsFor(exchange.locale);
    // Just after the start only the default one is waited for.
    if (bot.engines.models.length === 0) await modelOf(bot.engines, exchange, true);
    const number = new Intl.NumberFormat(texts.language, { maximumFractionDigits: 2 });
    const lines = bot.engines.models.map((model) => {
      const name = `**${display(model.name, 80)}**${model.isDefault ? ` · ${texts.usual}` : ''}`;
      if (!model.offered) return `${name}\n-# ${texts.damaged}`;
      const facts = [
        FAMILIES[model.family] ?? model.family,
        `${model.defaultWidth}×${model.defaultHeight}`,
        texts.steps(model.defaultSteps),
        `${texts.guidance} ${number.format(model.defaultGuidanceScale)}`,
        display(model.defaultScheduler, 40),
        texts.bytes(
          number.format(model.bytes / (model.bytes < 1e9 ? 1e6 : 1e9)),
          model.bytes < 1e9,
        ),
      ];
      const hints = [
        texts.goodFor(kindOf(model)),
        ...(model.takesImages ? [] : [texts.noImages]),
        ...(model.loaded ? [texts.loaded] : []),
      ];
      return `${name}\n${facts.join(' · ')}\n-# ${hints.join(' ')}`;
    });
    const shown: string[] = [];
    let length = 0;
    for (const text of lines) {
      length += text.length + 1;
      if (length > MOST) break;
      shown.push(text);
    }
    if (shown.length < lines.length) shown.push(`-# ${texts.more(lines.length - shown.length)}`);
    const body = textOnly(shown.join('\n'));
    if (exchange.answered) await exchange.edit(body);
    else await exchange.respond(body, true);
  },
};

/** Architectures as people know them. */
const FAMILIES: Readonly<Record<string, string>> = {
  sd: 'Stable Diffusion',
  sdxl: 'Stable Diffusion XL',
  lcm: 'Latent Consistency',
  sd3: 'Stable Diffusion 3',
  flux: 'FLUX',
};

/** What to expect of a model: how quick it is says more than its architecture. */
export type ModelKind = 'quick' | 'large' | 'small' | 'usual';

export function kindOf(model: ModelFacts): ModelKind {
  if (model.defaultSteps <= 8) return 'quick';
  const pixels = model.defaultWidth * model.defaultHeight;
  if (pixels >= 768 * 768) return 'large';
  return pixels <= 256 * 256 ? 'small' : 'usual';
}

// /queue: how busy the bot is and where your pictures stand. Other people's prompts are not shown.

import { display } from '../discord/display.js';
import { textOnly } from '../discord/message.js';
import { coarse, duration, textsFor } from '../discord/texts/index.js';
import { described, EVERYWHERE, named } from './data.js';
import type { SlashCommand } from './types.js';

/** as their makers write them */
const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  cuda: 'CUDA',
  tensorrt: 'TensorRT',
  webgpu: 'WebGPU',
  coreml: 'CoreML',
  dml: 'DirectML',
};

/** one's own pictures that are listed at most */
const SHOWN = 10;

export const queue: SlashCommand = {
  data: () => ({
    ...named(['queue', 'warteschlange', 'file']),
    ...described([
      'What waits and runs, and where yours stand',
      'Was wartet und läuft, und wo deine Bilder stehen',
      'Ce qui attend et tourne, et où en sont vos images',
    ]),
    ...EVERYWHERE,
  }),

  async execute(_interaction, exchange, bot) {
    const texts = textsFor(exchange.locale);
    const entries = bot.queue.list();
    const places = entries.map((entry) => ({ entry, place: bot.queue.place(entry.id) }));
    const running = places.filter(({ place }) => place?.state === 'running').length;
    const lines = [
      entries.length === 0 ? texts.queueEmpty : texts.queueLine(running, entries.length - running),
    ];
    const mine = places.filter(({ entry }) => entry.userId === exchange.userId).slice(0, SHOWN);
    for (const { entry, place } of mine) {
      if (place === undefined) continue;
      const ms = place.expectedMs;
      const time = ms === undefined ? undefined : duration(coarse(ms), texts);
      const running = time === undefined ? texts.starting : texts.left(time);
      const where = place.state === 'running' ? running : texts.waiting(place.ahead, time);
      // Only their owner reads this.
      const prompt = display(bot.generations.promptOf(entry.id) ?? '', 60) || `*${texts.noPrompt}*`;
      lines.push(`- ${prompt} · ${where}`);
    }
    if (entries.length > 1) lines.push(`-# ${texts.queueOthers}`);
    const info = bot.engines.info;
    if (info !== undefined)
      lines.push(
        `-# ${texts.paints(display(info.name, 60), PROVIDER_NAMES[info.provider] ?? info.provider)}`,
      );
    await exchange.respond(textOnly(lines.join('\n')), true);
  },
};

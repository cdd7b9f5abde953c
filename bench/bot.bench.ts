// The bot as its users feel it: start, first preview, acknowledgements, throughput, memory, and how
// free its event loop is while an engine works. One bot process, the embedded model, the sandbox.
import type { APIMessage } from 'discord-api-types/v10';
import { type BenchBot, startBot } from './support/bot.js';
import { median, percentile, report } from './support/report.js';

const RUNS = 5;
const PROMPT = 'a red fox on a meadow';
const MEGABYTE = 1e6;

/** a reply that has ended: the seed stands in it and Reroll can be pressed */
const ended = (message: APIMessage): boolean => JSON.stringify(message).includes('"reroll');
const hasPicture = (message: APIMessage): boolean => message.attachments.length > 0;

/** Runs every measurement on a model directory. */
export async function benchBot(model: string, bareMs: number): Promise<void> {
  const starts: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const bot = await startBot(model);
    starts.push(bot.startMs);
    await bot.close();
  }
  report('start to ready, median of 5', median(starts) / 1000, ' s', 3);

  const bot = await startBot(model);
  try {
    await imagine(bot, 1); // the first one pays for caches
    await firstPreview(bot);
    await eventLoop(bot);
    await acknowledgements(bot);
    await throughput(bot, bareMs);
    await memory(bot);
  } finally {
    await bot.close();
  }
}

async function imagine(bot: BenchBot, seed: number): Promise<void> {
  const interaction = await bot.sandbox.user('ada').command('imagine', { prompt: PROMPT, seed });
  await interaction.waitFor(ended, { timeout: 120_000 });
}

async function firstPreview(bot: BenchBot): Promise<void> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const begun = performance.now();
    const interaction = await bot.sandbox
      .user('ada')
      .command('imagine', { prompt: PROMPT, seed: run });
    await interaction.waitFor(hasPicture);
    times.push(performance.now() - begun);
    await interaction.waitFor(ended, { timeout: 120_000 });
  }
  report('command to first preview, median of 5', median(times) / 1000, ' s', 1);
}

async function eventLoop(bot: BenchBot): Promise<void> {
  await bot.probe();
  for (let run = 0; run < RUNS; run++) await imagine(bot, 100 + run);
  const seen = await bot.probe();
  report(
    'event-loop delay of the bot while painting, p99',
    seen.p99,
    ' ms',
    20,
    `max ${seen.max.toFixed(1)} ms`,
  );
}

async function acknowledgements(bot: BenchBot): Promise<void> {
  const interactions = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      bot.sandbox.user(`person${i}`).command('imagine', { prompt: PROMPT, seed: i, steps: 2 }),
    ),
  );
  const acknowledged = await Promise.all(interactions.map(({ acknowledged }) => acknowledged));
  report(
    'acknowledgement with 50 commands at once, p99',
    percentile(
      acknowledged.map(({ after }) => after),
      99,
    ),
    ' ms',
    300,
  );
  for (const interaction of interactions) await interaction.waitFor(ended, { timeout: 300_000 });
}

async function throughput(bot: BenchBot, bareMs: number): Promise<void> {
  const begun = performance.now();
  const interactions = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      bot.sandbox.user(i % 2 ? 'ada' : 'ben').command('imagine', { prompt: PROMPT, seed: i }),
    ),
  );
  for (const interaction of interactions) await interaction.waitFor(ended, { timeout: 600_000 });
  const total = performance.now() - begun;
  report('images per minute with 20 queued jobs', (20 * 60_000) / total, '');
  report('  time over the sum of their bare times', total / (20 * bareMs), '');
}

async function memory(bot: BenchBot): Promise<void> {
  const readings: number[] = [];
  for (let i = 0; i < 100; i++) {
    const interaction = await bot.sandbox
      .user('ben')
      .command('imagine', { prompt: PROMPT, seed: i, steps: 4 });
    await interaction.waitFor(ended, { timeout: 120_000 });
    if (i % 25 === 24) readings.push((await bot.probe()).rss / MEGABYTE);
  }
  const text = `after 25, 50, 75, 100: ${readings.map((rss) => rss.toFixed(0)).join(', ')} MB`;
  report('memory of the bot process after 100 generations', readings.at(-1)!, ' MB', 150, text);
}

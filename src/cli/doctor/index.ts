// `ylem doctor`: everything that the bot needs of this machine, looked at or tried, one line each.

import { parseArgs } from 'node:util';
import { type Config, loadConfig, PROVIDERS } from '../../config.js';
import { UserError } from '../../errors.js';
import { refusedOption } from '../arguments.js';
import { DOCTOR_HELP } from '../help.js';
import { placeOf } from '../models/directory.js';
import { inspectModel } from '../models/inspect.js';
import { listModels } from '../models/list.js';
import { shortPath } from '../models/pull.js';
import { createTransfers } from '../models/transfers.js';
import { type Colour, painter, printable, table } from '../style.js';
import {
  databaseFinding,
  diskFinding,
  imagesFinding,
  inferenceFinding,
  isInUse,
  memoryFinding,
  nodeFinding,
} from './machine.js';
import { providerFindings } from './providers.js';
import { attachmentsFinding, discordFinding, hubFinding, sandboxFinding } from './services.js';
import type { Finding, Mark } from './types.js';

/**
 * @param args what follows `doctor` on the command line
 * @returns the exit status: 0, or 1 where the bot could not start
 * @throws UserError 'bad-argument'
 */
export async function doctor(args: readonly string[]): Promise<number> {
  const asked = parse(args);
  if (asked.help) {
    process.stdout.write(DOCTOR_HELP);
    return 0;
  }
  const progress = createTransfers(process.stderr);
  const paint = painter(process.stdout);
  const findings: Finding[] = [];
  const width = 10;
  for await (const finding of examine(asked.online, progress.say)) {
    progress.end();
    findings.push(finding);
    if (asked.json) continue;
    const { mark, name, text } = finding;
    const line = mark === 'none' ? paint('dim', printable(text)) : printable(text);
    process.stdout.write(table([[sign(mark, paint), name.padEnd(width), line]]));
  }
  progress.end();
  const starts = !findings.some(({ mark }) => mark === 'fail');
  if (asked.json) process.stdout.write(`${JSON.stringify({ starts, findings })}\n`);
  else {
    process.stdout.write(
      starts
        ? `\n${paint('green', 'The bot can start here.')}\n`
        : `\n${paint('red', 'The bot cannot start here:')} mend the lines marked ✗.\n`,
    );
  }
  return starts ? 0 : 1;
}

const SIGNS: Readonly<Record<Mark, readonly [string, Colour]>> = {
  ok: ['✓', 'green'],
  warn: ['!', 'yellow'],
  fail: ['✗', 'red'],
  none: ['–', 'dim'],
};

function sign(mark: Mark, paint: ReturnType<typeof painter>): string {
  const [text, colour] = SIGNS[mark];
  return paint(colour, text);
}

async function* examine(
  online: boolean,
  say: (text: string) => void,
): AsyncGenerator<Finding, void> {
  yield nodeFinding();
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    yield { name: 'settings', mark: 'fail', text: error.message };
    return;
  }
  yield { name: 'settings', mark: 'ok', text: 'every variable is in its range' };
  for (const text of config.warnings) yield { name: 'settings', mark: 'warn', text };
  yield await diskFinding(config.dataDirectory);
  const database = await databaseFinding(config.dataDirectory);
  yield database;
  yield await imagesFinding();
  say('measuring threads');
  const inference = await inferenceFinding(config.threads);
  yield inference;
  if (inference.mark === 'ok') {
    const chosen = Boolean(process.env.YLEM_PROVIDERS?.trim());
    const working = new Set<string>();
    for await (const finding of providerFindings(config.providers, PROVIDERS, chosen, say)) {
      if (finding.mark === 'ok') working.add(finding.name);
      yield finding;
    }
    const taken = config.providers.find((name) => working.has(name));
    yield* modelFindings(config, taken ?? 'cpu');
    for (const { name, fault, isDefault } of await listModels(config)) {
      if (fault === undefined || isDefault) continue; // the default one was told of above
      yield { name: 'model', mark: 'warn', text: `${name} is damaged and not offered: ${fault}` };
    }
  }
  yield await discordFinding(config, online);
  yield await sandboxFinding(config, isInUse(database));
  yield await attachmentsFinding(config, online);
  if (online) yield await hubFinding(process.env);
}

/** The model that paints when nobody names another, and whether there is memory for it. */
async function* modelFindings(config: Config, provider: string): AsyncGenerator<Finding, void> {
  const name = 'model';
  try {
    const place = await placeOf(config, config.modelDirectory);
    const options = { hashes: false, run: false, providers: [provider] };
    const { problems, warnings, facts, memory } = await inspectModel(place, config, options);
    const [problem] = problems;
    if (problem !== undefined) {
      yield { name, mark: 'fail', text: `${shortPath(place.directory)}: ${problem}` };
    } else {
      const { family, precision } = facts ?? { family: '', precision: '' };
      yield { name, mark: 'ok', text: `${place.name} (${family}, ${precision}) is whole` };
    }
    for (const text of warnings) yield { name, mark: 'warn', text };
    yield memoryFinding(memory?.total, provider === 'cpu');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    yield { name, mark: 'fail', text: error.message };
  }
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      options: {
        online: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const { online = false, json = false, help = false } = values;
    return { online, json, help };
  } catch (error) {
    throw refusedOption(error, 'doctor');
  }
}

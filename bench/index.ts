// npm run bench: what the README claims, measured. `npm run bench -- bot`, `-- sd15` or `-- families`
// runs a part; `-- providers [sd15|sdxl]` runs only when it is asked for (bench/gpu.md).
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import build from '../test/support/build.js';
import { benchBot } from './bot.bench.js';
import { benchFamilies } from './families.bench.js';
import { benchOverhead } from './overhead.bench.js';
import { benchProviders } from './providers.bench.js';
import { makeSd15 } from './support/sd15.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const hydrogen = join(root, 'models', 'hydrogen');
const tiny = join(root, 'test', 'fixtures', 'models', 'tiny-sd');
const wanted = process.argv.slice(2);
const asked = (part: string): boolean => wanted.length === 0 || wanted.includes(part);

if (wanted[0] !== 'providers') build();
process.stdout.write(
  `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}\n`,
);

if (wanted[0] === 'providers') {
  await benchProviders(wanted.slice(1));
  process.exit();
}

if (asked('bot') || asked('hydrogen')) {
  const { bareMs } = await benchOverhead(
    'embedded model',
    hydrogen,
    {
      prompt: 'a red fox on a meadow',
      negativePrompt: '',
      steps: 20,
      guidanceScale: 3,
      width: 256,
      height: 256,
    },
    15,
  );
  if (asked('bot')) await benchBot(hydrogen, bareMs);
}

if (asked('sd15')) {
  const directory = await mkdtemp(join(tmpdir(), 'ylem-sd15-'));
  try {
    await makeSd15(directory, join(tiny, 'tokenizer'), 2048);
    await benchOverhead(
      'SD 1.5-shaped, 256x256',
      directory,
      { prompt: 'a', negativePrompt: '', steps: 4, guidanceScale: 7.5, width: 256, height: 256 },
      5,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

if (asked('families')) await benchFamilies(wanted[0] === 'families' ? wanted.slice(1) : []);

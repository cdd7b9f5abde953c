// Step times of every provider that this machine has, on a UNet of Stable Diffusion's size with
// random weights, beside PyTorch's on the same machine where a Python with torch is found.
//
//     npm run bench -- providers [sd15|sdxl|tiny] [--sizes 512,1024] [--precision fp16|fp32]
//                                [--providers cuda,webgpu,cpu] [--calls 10]
//
// A step with guidance is two estimates: `x1` is one call for one of them, `x2` one call for both.
import { fork, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BUILT_IN } from '../src/pipeline/providers.js';
import { fastestThreads } from '../src/pipeline/threads.js';
import { pythonWith } from './support/python.js';
import { median } from './support/report.js';
import type { TimeMessage, TimeReply, TimeRequest } from './support/time-unet.js';
import { makeUNet, SD15, SDXL, TINY, type UNetShape } from './support/unet.js';

const SHAPES: Readonly<Record<string, UNetShape>> = { sd15: SD15, sdxl: SDXL, tiny: TINY };
/** the fastest first; the CPU last, since it takes minutes */
const ORDER = ['tensorrt', 'cuda', 'webgpu', 'dml', 'coreml', 'cpu'];

interface Measured {
  readonly name: string;
  /** ms */
  load?: number;
  readonly replies: TimeReply[];
  reason?: string;
}

export async function benchProviders(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      sizes: { type: 'string', default: '512,1024' },
      precision: { type: 'string', default: 'fp16' },
      providers: { type: 'string' },
      calls: { type: 'string', default: '10' },
    },
  });
  const sizes = values.sizes.split(',').map(Number);
  const precision = values.precision === 'fp32' ? 'fp32' : 'fp16';
  const providers =
    values.providers?.split(',') ?? ORDER.filter((provider) => BUILT_IN.has(provider));
  const calls = Number(values.calls);
  const threads = await fastestThreads();
  for (const name of positionals.length > 0 ? positionals : ['sd15', 'sdxl']) {
    const shape = SHAPES[name];
    if (shape === undefined) throw new Error(`There is no UNet of shape ${name}.`);
    const directory = await mkdtemp(join(tmpdir(), `ylem-${name}-`));
    try {
      const parameters = await makeUNet(directory, shape, precision);
      const millions = (parameters / 1e6).toFixed(0);
      process.stdout.write(`\n${name}-shaped UNet, ${millions}M parameters, ${precision}\n`);
      heading();
      for (const provider of providers)
        print(await timeProvider({ directory, provider, threads, sizes, calls }), sizes);
      const torch = await timeTorch(shape, sizes, calls, threads);
      if (torch === undefined) process.stdout.write('PyTorch: no Python with torch was found\n');
      else print(torch, sizes);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

function timeProvider(request: TimeRequest): Promise<Measured> {
  const measured: Measured = { name: request.provider, replies: [] };
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const child = fork(fileURLToPath(new URL(`./support/time-unet.${ending}`, import.meta.url)), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send(request);
  return new Promise((resolve) => {
    let told = false;
    child.on('message', (message: TimeMessage) => {
      if (message.kind === 'loaded') measured.load = message.milliseconds;
      else if (message.kind === 'timed') measured.replies.push(message);
      else {
        told = true;
        if (message.reason !== undefined) measured.reason = message.reason;
      }
    });
    child.on('close', (status, signal) => {
      if (!told) measured.reason = `the process ended with ${signal ?? status}`;
      resolve(measured);
    });
  });
}

/** @returns undefined where no Python with torch is found ($PYTHON, python3) */
async function timeTorch(
  shape: UNetShape,
  sizes: readonly number[],
  calls: number,
  threads: number,
): Promise<Measured | undefined> {
  const python = pythonWith('torch');
  if (python === undefined) return undefined;
  const script = fileURLToPath(new URL('./support/torch_unet.py', import.meta.url));
  const asked = JSON.stringify({ shape, sizes, calls, threads });
  const child = spawn(python, [script, asked], { stdio: ['ignore', 'pipe', 'inherit'] });
  let name = 'PyTorch';
  const replies: TimeReply[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as TimeReply & { readonly name?: string };
    if (told.name === undefined) replies.push(told);
    else name = told.name;
  }
  return { name, replies };
}

const COLUMNS = [9, 7, 11, 11, 11, 11] as const;

function heading(): void {
  row(['load s', 'px', 'first ms', 'x1 ms', 'x2 ms', 'steps/s'], '');
}

function print({ name, load, replies, reason }: Measured, sizes: readonly number[]): void {
  const seconds = load === undefined ? '' : (load / 1000).toFixed(1);
  if (reason !== undefined && replies.length === 0) {
    row([seconds], name, reason);
    return;
  }
  for (const size of sizes) {
    const [one, two] = [1, 2].map((batch) =>
      replies.find((reply) => reply.size === size && reply.batch === batch),
    );
    const times = [one, two].map((reply) =>
      reply?.times === undefined ? undefined : median(reply.times),
    );
    const step = Math.min(2 * (times[0] ?? Infinity), times[1] ?? Infinity);
    const cells = [seconds, String(size), ms(one?.first), ms(times[0]), ms(times[1])];
    const rate = Number.isFinite(step) ? (1000 / step).toFixed(2) : '-';
    row([...cells, rate], name, [one?.reason, two?.reason, reason].find(Boolean));
  }
}

const ms = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1));

function row(cells: readonly string[], name: string, more = ''): void {
  const padded = cells.map((cell, i) => cell.padStart(COLUMNS[i]!)).join('');
  process.stdout.write(`${padded}  ${name}${more && `: ${more}`}\n`);
}

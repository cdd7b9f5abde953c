// The bot's token and the hub's stay in the bot's process.

import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { EngineProcess } from '../../src/engine/process.js';
import { spawnSandbox } from '../../src/sandbox/spawn.js';
import { childrenOf } from '../support/processes.js';

afterEach(() => vi.unstubAllEnvs());

/** The environment of this process's only child, as it began. */
function environment(): string[] {
  const [pid, ...others] = childrenOf(process.pid).filter((one) => one !== undefined);
  expect(others).toEqual([]);
  return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
}

function secretsIn(variables: readonly string[]): readonly string[] {
  return variables.filter((variable) => /^(DISCORD_TOKEN|HF_TOKEN)=/.test(variable));
}

/** A variable that every child gets. */
const ORDINARY = 'YLEM_TEST_ORDINARY=1';

function stub(): void {
  vi.stubEnv('DISCORD_TOKEN', 'a.bot.token');
  vi.stubEnv('HF_TOKEN', 'hf_token');
  vi.stubEnv('YLEM_TEST_ORDINARY', '1');
}

// Only there can one read another process's environment.
test.skipIf(process.platform !== 'linux')('neither is in the engine process', async () => {
  stub();
  const engine = new EngineProcess(
    { stallMs: 60_000, loadMs: 60_000 },
    { message() {}, line() {}, end() {} },
  );
  try {
    await vi.waitFor(() => expect(environment()).toContain(ORDINARY));
    expect(secretsIn(environment())).toEqual([]);
  } finally {
    engine.forget();
    await vi.waitFor(() => expect(childrenOf(process.pid)).toEqual([]), 10_000);
  }
});

test.skipIf(process.platform !== 'linux')('neither is in the sandbox', async () => {
  stub();
  const sandbox = await spawnSandbox();
  try {
    expect(environment()).toContain(ORDINARY);
    expect(secretsIn(environment())).toEqual([]);
  } finally {
    await sandbox.close();
  }
});

// The `ylem` command: finds the subcommand and turns what it throws into an exit status.
// Subcommands are imported when they are called, so that `--help` loads nothing.

import { HELP } from './cli/help.js';
import { EngineDied } from './engine/types.js';
import { UserError } from './errors.js';

/** Exit statuses: 0 done, 1 failed, 2 asked for something that does not exist. */
async function run(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  const wantsHelp = rest.includes('--help') || rest.includes('-h');
  if (wantsHelp && (command === 'start' || command === 'sandbox')) return run(['help']);
  switch (command) {
    case 'imagine':
      return (await import('./cli/imagine.js')).imagine(rest);
    case 'models':
      return (await import('./cli/models/index.js')).models(rest);
    case 'doctor':
      return (await import('./cli/doctor/index.js')).doctor(rest);
    case 'start':
      expectNothing(command, rest);
      serves = true;
      await (await import('./main.js')).start();
      return 0;
    case 'sandbox': {
      expectNothing(command, rest);
      const { sandbox } = (await import('./cli/settings.js')).settings();
      serves = true;
      const { main } = await import('./sandbox/main.js');
      await main({ port: sandbox.port, fixedPort: !sandbox.portMayDiffer });
      return 0;
    }
    case 'help':
      if (rest[0] !== undefined) return run([rest[0], '--help']);
      process.stdout.write(HELP);
      return 0;
    case '--help':
    case '-h':
      process.stdout.write(HELP);
      return 0;
    case '--version':
    case '-v':
      process.stdout.write(`${await (await import('./engine/version.js')).readVersion()}\n`);
      return 0;
    default: {
      const what = command === undefined ? 'Name a command' : `There is no command "${command}"`;
      return complain(`${what}: start, imagine, models, doctor or sandbox (see ylem --help).`);
    }
  }
}

function expectNothing(command: string, rest: readonly string[]): void {
  if (rest[0] === undefined) return;
  throw new UserError('bad-argument', `ylem ${command} takes no arguments, got "${rest[0]}".`);
}

function complain(message: string): 2 {
  process.stderr.write(`ylem: ${message.replaceAll('\n', ' ')}\n`);
  return 2;
}

/** A bot goes on without its log, whether nobody reads it any more or the disk is full. */
let serves = false;
for (const [name, stream] of [
  ['stdout', process.stdout],
  ['stderr', process.stderr],
] as const) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (serves) return;
    // Whoever reads may stop early, as `head` does.
    if (code === 'EPIPE') process.exit(0);
    if (name === 'stdout') complain(`stdout cannot be written (${code}).`);
    process.exit(1);
  });
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof UserError || error instanceof EngineDied) {
    // What came from the arguments is the caller's; all else (a damaged model, a refused token)
    // is a failure of the work that was asked for.
    complain(error.message);
    const wronglyAsked = error instanceof UserError && error.identifier === 'bad-argument';
    process.exitCode = wronglyAsked ? 2 : 1;
  } else {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  }
}

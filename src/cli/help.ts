// What `--help` prints, in lines of at most 79 characters: terminals of 80 columns are common, and some
// wrap in the last one.

import { SCHEDULER_NAMES } from '../pipeline/types.js';

export const HELP = `ylem: a Discord bot that paints from noise

  ylem start                       run the bot; without DISCORD_TOKEN, with the
                                   sandbox
  ylem sandbox                     run the sandbox alone, for a bot started
                                   elsewhere
  ylem imagine "PROMPT" --out FILE.png [options]
                                   paint one picture here, without Discord
  ylem models list | pull | remove | check
                                   the models here, and more from a hub
  ylem doctor [--online] [--json]  what this machine offers, and what the bot
                                   would miss
  ylem --help | --version

\`ylem imagine --help\`, \`ylem models --help\` and \`ylem doctor --help\` say
more. The environment variables of the bot are explained in .env.example.
`;

/** Names in lines of at most 79 characters, under the explanations of the options. */
function listed(names: readonly string[]): string {
  const lines: string[] = [];
  for (const [i, name] of names.entries()) {
    const text = i === names.length - 1 ? name : `${name},`;
    const last = lines.at(-1);
    if (last === undefined || last.length + text.length + 1 > 79) {
      lines.push(' '.repeat(24) + text);
    } else lines[lines.length - 1] = `${last} ${text}`;
  }
  return lines.join('\n');
}

export const IMAGINE_HELP = `ylem imagine "PROMPT" --out FILE.png [options]

  --out FILE.png        the picture, with its parameters inside
  --model NAME | DIR    a model of \`ylem models list\`, or a diffusers ONNX
                        directory; else YLEM_MODEL, else the embedded model
  --negative TEXT       what the picture should not show
  --seed N              0 to 4294967295; random and printed unless given
  --steps N             1 to 150; the model's own number unless given
  --guidance X          0 to 30, 0 and 1 being none; the model's own unless
                        given
  --width W, --height H pixels; unless given, those of --init or the model's
  --scheduler NAME      the model's own unless given, or one of:
${listed(SCHEDULER_NAMES)}
  --init FILE           an image to begin from: PNG, JPEG, WebP or GIF
  --strength S          above 0 to 1: how much of it is painted anew; else 0.8,
                        with a mask 1
  --mask FILE           white is painted anew, black is kept; laid over the
                        image
  --noise cpu|nv        random numbers as torch draws them (cpu, unless given)
                        or as CUDA does (nv)
  --weighting           read (word:1.3), [word] and BREAK in prompts, of any
                        length
  --clip-skip N         layers of the text encoder to leave out at its end
  --evolution FILE      how the picture came to be: .png a sheet, .webp or
                        .gif an animation
  --json                one line of JSON on stdout: seed, parameters,
                        timings (ms), files

"" as the prompt paints without one.
Exit status: 0; 2 for bad arguments; 1 for a failure.
`;

export const MODELS_HELP = `ylem models COMMAND

  list                        the models here, * marks the default one
  pull OWNER/NAME[@REVISION]  fetches a model from the hub: what Ylem needs of
                              it and no more; goes on where it was cut off, and
                              is in place only when it is whole
    --name NAME               of its directory; OWNER--NAME unless given
    --folder FOLDER           where it lies in the repository; found unless
                              there are several
    --safety-checker          also the model that finds improper pictures
                              (1.2 GB for SD 1.x)
  remove NAME...              removes models, and what unfinished pulls of them
                              have left
  check [NAME | DIRECTORY]    what a model is, whether it is whole and would
                              run here, and in how much memory; the default
                              model unless named
    --hashes                  also read every file of a pulled model and
                              compare it with the hub's
    --run                     also load it and paint one step, and say how much
                              memory that took

  --json                      one line of JSON on stdout

Models are kept in YLEM_MODELS_DIR (default: models, beside the program).
HF_TOKEN is used for gated and private models, HF_ENDPOINT for another hub than
https://huggingface.co.
Exit status: 0; 2 for bad arguments; 1 for a failure, and for a model that
would not run here; 130 for a pull that was stopped.
`;

export const DOCTOR_HELP = `ylem doctor [--online] [--json]

Looks at everything that the bot needs of this machine and tries what can be
tried: Node, settings, disk, database, native libraries, each provider, the
model, memory, Discord or the sandbox. A provider is tried in a process of its
own, with a tiny graph that nothing else computes.

  --online              also ask Discord about the token, and look for the
                        hosts of uploads and models
  --json                one line of JSON on stdout: starts, and findings of
                        name, mark and text

✓ well   ! a loss   ✗ the bot could not start   – not here, and not needed
Exit status: 0 when the bot could start; 1 when not; 2 for bad arguments.
`;

// What `--help` prints.

import { SCHEDULER_NAMES } from '../pipeline/types.js';

export const HELP = `ylem: a Discord bot that paints from noise

  ylem start                       run the bot; without DISCORD_TOKEN, with the sandbox
  ylem sandbox                     run the sandbox alone, for a bot started elsewhere
  ylem imagine "PROMPT" --out FILE.png [options]
                                   paint one picture here, without Discord
  ylem --help | --version

\`ylem imagine --help\` lists its options. The environment variables of the bot are explained
in .env.example.
`;

export const IMAGINE_HELP = `ylem imagine "PROMPT" --out FILE.png [options]

  --out FILE.png        the picture, with its parameters inside
  --model DIR           a diffusers ONNX directory; else YLEM_MODEL, else the embedded model
  --negative TEXT       what the picture should not show
  --seed N              0 to 4294967295; random and printed unless given
  --steps N             1 to 150; the model's own number unless given
  --guidance X          1 (none) to 30; the model's own unless given
  --width W, --height H pixels; unless given, those of --init or the model's own
  --scheduler NAME      ${SCHEDULER_NAMES.join(', ')}; the model's own unless given
  --init FILE           an image to begin from: PNG, JPEG, WebP or GIF
  --strength S          above 0 to 1: how much of it is painted anew; else 0.8, with a mask 1
  --mask FILE           white is painted anew, black is kept; laid over the image
  --noise cpu|nv        random numbers as torch draws them (cpu, unless given) or as CUDA does (nv)
  --weighting           read (word:1.3), [word] and BREAK in prompts, of any length
  --clip-skip N         layers of the text encoder to leave out at its end
  --evolution FILE      how the picture came to be: .png a sheet, .webp or .gif an animation
  --json                one line of JSON on stdout: seed, parameters, timings (ms), files

"" as the prompt paints without one. Exit status: 0; 2 for bad arguments; 1 for a failure.
`;

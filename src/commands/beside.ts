// How late chance matters, in one picture: a picture and the branches of it that were asked for
// together, as a sheet. Which ones they are stands in the button's custom id: the picture they branched
// from and the seed of their noise.

import { ButtonStyle } from 'discord-api-types/v10';
import { customId, type Pressed } from '../discord/custom-id.js';
import { display, plain } from '../discord/display.js';
import type { Exchange } from '../discord/exchange.js';
import type { MessageBody } from '../discord/message.js';
import { button, percent, row } from '../discord/panels.js';
import { capital, type Texts, textsFor } from '../discord/texts/index.js';
import { UserError } from '../errors.js';
import type { EncodedImage, LabelledPicture } from '../pipeline/types.js';
import type { Generation } from '../store/types.js';
import { fileOf } from './facts.js';
import { linkTo } from './lineage.js';
import { unknownGeneration } from './source.js';
import type { Bot } from './types.js';
import { largestFile } from './upload.js';

/** A picture and its branches with the same new noise, by their step. */
export interface Question {
  readonly original: Generation;
  readonly seed: number;
  readonly branches: readonly Generation[];
}

/** What became of a branch as the sheet shows it: its file, or why it is not on it. */
type Shown = { readonly branch: Generation } & (
  | { readonly file: Uint8Array }
  | { readonly lacks: Parameters<Texts['besideLacks']>[0] }
);

/**
 * What a button asks for, as one person may see it.
 * @throws UserError when the picture is gone, is somebody else's private one, or is shown to nobody
 */
export async function questionOf(
  bot: Bot,
  { generation, args }: Pressed,
  userId: string,
): Promise<Question> {
  const original = await bot.store.get(generation);
  const seed = Number.parseInt(args[0] ?? '', 10);
  if (original === undefined || !Number.isInteger(seed)) {
    throw new UserError('original-gone', 'The picture that these branched from is no longer kept.');
  }
  const visible = ({ reply, userId: owner }: Generation) => !reply.ephemeral || owner === userId;
  if (!visible(original)) throw unknownGeneration();
  if (original.flagged) {
    throw new UserError(
      'picture-unsafe',
      'The safety checker found something in this picture; it is not shown.',
    );
  }
  const branches = (await bot.store.chances(original.id, seed)).filter(visible);
  return { original, seed, branches };
}

/** Only who asked shows the answer to all, and only where all may see each picture of it. */
export function isPrivate({ original, branches }: Question, userId: string): boolean {
  return (
    [original, ...branches].some(({ reply }) => reply.ephemeral) ||
    branches.some((branch) => branch.userId !== userId)
  );
}

/**
 * Replaces the reply by the sheet, as things stand when its turn has come.
 * @param message that the reply is, where it need not be changed if it is asked for again
 */
export async function showBeside(
  bot: Bot,
  exchange: Exchange,
  pressed: Pressed,
  message?: string,
): Promise<void> {
  const draw = async () => {
    const question = await questionOf(bot, pressed, exchange.userId);
    const shown = await Promise.all(question.branches.map((branch) => shownOf(bot, branch)));
    const texts = textsFor(exchange.locale);
    const image = await sheet(bot, question, shown, largestFile(exchange.attachmentLimit));
    await exchange.edit(panel(question, shown, image, exchange.channelId, texts));
  };
  await bot.views.show(exchange.userId, draw, message);
}

async function shownOf(bot: Bot, branch: Generation): Promise<Shown> {
  if (branch.state === 'queued' || branch.state === 'running') return { branch, lacks: 'pending' };
  if (branch.flagged) return { branch, lacks: 'flagged' };
  const file = branch.hasFile ? await bot.store.file(branch.id) : undefined;
  return file === undefined ? { branch, lacks: 'none' } : { branch, file: file.bytes };
}

/** @throws UserError where there is nothing to compare */
async function sheet(
  bot: Bot,
  { original }: Question,
  shown: readonly Shown[],
  maxBytes: number,
): Promise<EncodedImage> {
  const file = original.hasFile ? await bot.store.file(original.id) : undefined;
  const branches = shown.flatMap((one): LabelledPicture[] => {
    if (!('file' in one)) return [];
    const { branchStep, stepTotal, changed } = one.branch;
    return [
      {
        file: one.file,
        label: `${branchStep}/${stepTotal}`,
        foot: changed === null ? '' : `${Math.round(changed * 100)}%`,
      },
    ];
  });
  if (file === undefined || branches.length === 0) {
    throw new UserError('no-branches', 'None of these branches has a picture to show.');
  }
  const { model } = original.parameters;
  const pictures = [{ file: file.bytes, label: '', foot: '' }, ...branches];
  return bot.engines.any(model).beside(pictures, maxBytes);
}

function panel(
  { original, seed }: Question,
  shown: readonly Shown[],
  image: EncodedImage,
  channelId: string,
  texts: Texts,
): MessageBody {
  const linked = (words: string, generation: Generation) => {
    const link = linkTo(generation, channelId);
    return link === undefined ? words : `[${words}](${link})`;
  };
  const { id, parameters } = original;
  const prompt = display(parameters.prompt, 200);
  const share = ({ changed }: Generation) =>
    changed === null ? undefined : percent(changed, texts);
  const branches = shown.map((one) => {
    const { branchStep, state, stepIndex, stepTotal } = one.branch;
    const words =
      'lacks' in one
        ? [texts.besideLacks(one.lacks)]
        : [
            linked(share(one.branch) ?? '–', one.branch),
            ...(state === 'stopped' ? [texts.stoppedAfter(stepIndex, stepTotal)] : []),
          ];
    return texts.afterStep(branchStep ?? 0, words.join(', '));
  });
  const seen = shown.flatMap((one) =>
    'file' in one ? [{ step: one.branch.branchStep ?? 0, changed: share(one.branch) }] : [],
  );
  const altText = plain(`${texts.besideShows(seen)} ${parameters.prompt}`, 1000);
  const isPending = shown.some((one) => 'lacks' in one && one.lacks === 'pending');
  const again = customId('beside', id, seed, 'again');
  return {
    content: [
      `> ${prompt === '' ? `*${texts.noPrompt}*` : prompt}`,
      `**${texts.besideTitle}** · ${texts.seed} \`${parameters.seed}\``,
      `-# ${texts.besideExplained(seed, (words) => linked(words, original))}`,
      `-# ${capital(branches.join(' · '))}`,
    ].join('\n'),
    components: [
      row(
        ...(isPending ? [button(texts.buttons.refresh, again, ButtonStyle.Primary)] : []),
        button(texts.buttons.steps, customId('steps', id)),
        button(texts.buttons.chance, customId('chance', id)),
      ),
    ],
    files: [fileOf(image, id, 'beside', altText)],
  };
}

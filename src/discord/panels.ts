// What the states of a picture look like as messages.

import type { APIButtonComponentWithCustomId } from 'discord-api-types/v10';
import { ButtonStyle, ComponentType } from 'discord-api-types/v10';
import { customId } from './custom-id.js';
import { display, progressBar } from './display.js';
import type { MessageBody, MessageFile, Row } from './message.js';
import { coarse, duration, type Texts } from './texts/index.js';

/** Of any picture: what stands on top, and whose buttons these are. */
export interface PictureFacts {
  readonly id: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly width: number;
  readonly height: number;
  readonly scheduler: string;
  readonly model: string;
  /** it began from an image: how much of it was painted anew, and whether a mask said where */
  readonly init: { readonly strength: number; readonly masked: boolean } | undefined;
  readonly branch: { readonly step: number; readonly seed: number } | undefined;
  /** the picture that this branch and others from other steps of it were asked for together */
  readonly beside: string | undefined;
  /** pieces of the prompts that look like syntax and have no effect */
  readonly unheeded: readonly string[];
}

/** of those pieces, and characters of each */
const MOST_UNHEEDED = { pieces: 3, length: 40 };

export function button(
  label: string,
  id: string,
  style: APIButtonComponentWithCustomId['style'] = ButtonStyle.Secondary,
  disabled = false,
): APIButtonComponentWithCustomId {
  return {
    type: ComponentType.Button,
    style,
    label: label.slice(0, 80),
    custom_id: id,
    ...(disabled ? { disabled } : {}),
  };
}

export function row(...components: Row['components']): Row {
  return { type: ComponentType.ActionRow, components };
}

function heading(prompt: string, texts: Texts): string {
  const shown = display(prompt);
  return shown === '' ? `> *${texts.noPrompt}*` : `> ${shown}`;
}

/** In the queue: the place and how long it will take. */
export function waitingPanel(
  picture: PictureFacts,
  place: { readonly ahead: number; readonly expectedMs: number | undefined },
  texts: Texts,
  /** true: a private reply that will soon be out of reach, unless somebody presses a button */
  dying = false,
): MessageBody {
  const wait =
    place.expectedMs === undefined ? undefined : duration(coarse(place.expectedMs), texts);
  return {
    content: `${heading(picture.prompt, texts)}\n${texts.waiting(place.ahead, wait)}${note(dying, texts)}`,
    components: [
      row(
        ...keep(dying, picture, texts),
        button(texts.buttons.cancel, customId('cancel', picture.id), ButtonStyle.Danger),
      ),
    ],
    files: [],
  };
}

function note(dying: boolean, texts: Texts): string {
  return dying ? `\n-# ${texts.dying}` : '';
}

function keep(dying: boolean, picture: PictureFacts, texts: Texts) {
  if (!dying) return [];
  return [button(texts.buttons.keep, customId('keep', picture.id), ButtonStyle.Primary)];
}

/** Being painted: the newest preview, the step and the time left. */
export function formingPanel(
  picture: PictureFacts,
  progress: {
    readonly index: number;
    readonly total: number;
    readonly leftMs: number | undefined;
    readonly file: MessageFile | undefined;
  },
  texts: Texts,
  /** as of `waitingPanel` */
  dying = false,
): MessageBody {
  const { index, total, leftMs, file } = progress;
  const bar = progressBar(index, total);
  const facts = [
    index === 0 ? texts.starting : texts.step(index, total),
    ...(leftMs === undefined ? [] : [texts.left(duration(leftMs, texts))]),
  ];
  return {
    content: `${heading(picture.prompt, texts)}\n\`${bar}\` ${facts.join(' · ')}${note(dying, texts)}`,
    components: [
      row(
        ...keep(dying, picture, texts),
        button(
          texts.buttons.stop,
          customId('stop', picture.id),
          ButtonStyle.Secondary,
          index === 0,
        ),
        button(texts.buttons.cancel, customId('cancel', picture.id), ButtonStyle.Danger),
      ),
    ],
    files: file === undefined ? [] : [file],
  };
}

/**
 * The bot ends while the picture waits or is being painted; the next start goes on. The button is
 * there so that the message can be found again, and does nothing meanwhile.
 */
export function restartingPanel(
  picture: PictureFacts,
  /** of one that is being painted */
  progress: { readonly index: number; readonly file: MessageFile | undefined } | undefined,
  texts: Texts,
): MessageBody {
  const sentence = progress === undefined ? texts.restarting : texts.restartingAt(progress.index);
  const id = customId('cancel', picture.id);
  return {
    content: `${heading(picture.prompt, texts)}\n${sentence}`,
    components: [row(button(texts.buttons.cancel, id, ButtonStyle.Danger, true))],
    files: progress?.file === undefined ? [] : [progress.file],
  };
}

/** Seed and parameters on one line. */
export function factsLine(picture: PictureFacts, texts: Texts): string {
  const number = new Intl.NumberFormat(texts.language, { maximumFractionDigits: 2 });
  return [
    `${texts.seed} \`${picture.seed}\``,
    texts.steps(picture.steps),
    `${texts.guidance} ${number.format(picture.guidanceScale)}`,
    `${picture.width}×${picture.height}`,
    ...(picture.init === undefined
      ? []
      : [texts.fromImage(number.format(picture.init.strength), picture.init.masked)]),
    display(picture.scheduler, 40),
    display(picture.model, 60),
  ].join(' · ');
}

/** A share, 0 to 1, in whole per cent. */
export const percent = (share: number, { language }: Texts): string =>
  new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 }).format(share);

/** The end: the picture, all that makes it again, and what can be done with it. */
export function donePanel(
  picture: PictureFacts,
  outcome: {
    readonly file: MessageFile;
    /** set when it was stopped before the last step */
    readonly stopped: { readonly index: number; readonly total: number } | undefined;
    /** of the whole run; a picture of one step has none to branch from */
    readonly total: number;
    /** blurred, for the model's safety checker found something in it */
    readonly flagged?: boolean;
    /** of a branch: the share of pixels, 0 to 1, that look different from the picture it branched from */
    readonly changed?: number | undefined;
    /** a link to the message of the picture that it was made from */
    readonly origin?: string | undefined;
  },
  texts: Texts,
): MessageBody {
  const lines = [heading(picture.prompt, texts)];
  if (picture.negativePrompt.trim() !== '') {
    lines.push(`> -# ${texts.without(display(picture.negativePrompt, 150))}`);
  }
  lines.push(factsLine(picture, texts));
  const notes: string[] = [];
  if (picture.branch !== undefined) {
    const { step, seed } = picture.branch;
    const share = outcome.changed === undefined ? undefined : percent(outcome.changed, texts);
    notes.push(texts.branched(step, outcome.total, seed, share));
  }
  if (outcome.origin !== undefined) notes.push(texts.comesFrom(outcome.origin));
  if (outcome.stopped !== undefined) {
    notes.push(texts.stoppedAfter(outcome.stopped.index, outcome.stopped.total));
  }
  if (outcome.flagged) notes.push(texts.flagged);
  if (picture.unheeded.length > 0) {
    const { pieces, length } = MOST_UNHEEDED;
    const some = picture.unheeded.slice(0, pieces).map((piece) => display(piece, length));
    notes.push(
      texts.unheeded(`${some.join(', ')}${picture.unheeded.length > pieces ? ', …' : ''}`),
    );
  }
  if (notes.length > 0) lines.push(`-# ${notes.join(' · ')}`);
  return {
    content: lines.join('\n'),
    components: [
      row(
        button(texts.buttons.reroll, customId('reroll', picture.id), ButtonStyle.Primary),
        button(texts.buttons.steps, customId('steps', picture.id)),
        ...beside(picture, texts),
        button(texts.buttons.edit, customId('edit', picture.id)),
      ),
      row(
        ...(outcome.total > 1
          ? [
              button(texts.buttons.subtle, customId('vary', picture.id, 'subtle')),
              button(texts.buttons.strong, customId('vary', picture.id, 'strong')),
            ]
          : []),
        button(texts.buttons.delete, customId('delete', picture.id), ButtonStyle.Danger),
      ),
    ],
    files: [outcome.file],
  };
}

function beside({ beside, branch }: PictureFacts, texts: Texts) {
  if (beside === undefined || branch === undefined) return [];
  return [button(texts.buttons.beside, customId('beside', beside, branch.seed))];
}

/** Cancelled or failed: a sentence instead of a picture, and the ways on. */
export function endedPanel(picture: PictureFacts, sentence: string, texts: Texts): MessageBody {
  return {
    content: `${heading(picture.prompt, texts)}\n${sentence}`,
    components: [
      row(
        button(texts.buttons.reroll, customId('reroll', picture.id), ButtonStyle.Primary),
        button(texts.buttons.edit, customId('edit', picture.id)),
        button(texts.buttons.delete, customId('delete', picture.id), ButtonStyle.Danger),
      ),
    ],
    files: [],
  };
}

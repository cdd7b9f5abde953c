// How a picture came to be, as a message: contact sheet, animation, plot of changes, single steps.
// What is shown stands in the buttons' custom ids, so that old messages go on working.

import { ButtonStyle, ComponentType } from 'discord-api-types/v10';
import { customId } from '../discord/custom-id.js';
import { display, plain } from '../discord/display.js';
import type { Exchange } from '../discord/exchange.js';
import type { MessageBody, Row } from '../discord/message.js';
import { button, row } from '../discord/panels.js';
import { capital, type Texts, textsFor } from '../discord/texts/index.js';
import { UserError } from '../errors.js';
import { evenly } from '../pipeline/evenly.js';
import type { EncodedImage, EvolutionOptions, KeptStep } from '../pipeline/types.js';
import type { Generation } from '../store/types.js';
import { fileOf } from './facts.js';
import { originOf, ownerOfStep } from './lineage.js';
import { stepsGone } from './painting.js';
import type { Bot } from './types.js';
import { largestFile } from './upload.js';

/** What a /steps message shows. */
export interface View {
  readonly kind: EvolutionOptions['kind'] | 'step';
  /** 4 to 64; once it was drawn, no more than there are steps */
  readonly frames: number;
  readonly order: EvolutionOptions['order'];
  readonly show: EvolutionOptions['show'];
  /** the step shown alone or looked at last, 1 to total; 0 for none yet */
  readonly step: number;
}

export const FIRST_VIEW: View = {
  kind: 'sheet',
  frames: 9,
  order: 'reading',
  // Out of the noise, as it was: what the model expects looks like the picture from the first step on.
  show: 'latents',
  step: 0,
};

const KINDS = { s: 'sheet', a: 'animation', c: 'changes', p: 'step' } as const;
const ORDERS = { r: 'reading', c: 'condensing' } as const;
const SHOWS = { p: 'prediction', n: 'latents' } as const;
const FRAME_CHOICES = [4, 9, 16, 25, 36, 49, 64];

/** options that a select may have */
const MOST_CHOICES = 25;
/** Steps of one picture can be at most that many in one animation. */
const ANIMATION_FRAMES = 150;

function letter<T extends string>(table: Readonly<Record<string, T>>, value: T): string {
  return Object.keys(table).find((key) => table[key] === value) ?? '';
}

/** The view in a custom id. `where` keeps the ids of one message apart. */
export function viewId(generation: string, view: View, where: string): string {
  return customId(
    'view',
    generation,
    letter(KINDS, view.kind),
    view.frames,
    letter(ORDERS, view.order),
    letter(SHOWS, view.show),
    view.step,
    where,
  );
}

/** Reads `viewId` back; what it does not understand becomes the first view's. */
export function readView(args: readonly string[]): View {
  const [kind = '', frames = '', order = '', show = '', step = ''] = args;
  return {
    kind: KINDS[kind as keyof typeof KINDS] ?? FIRST_VIEW.kind,
    frames: clamp(Number.parseInt(frames, 10), 4, 64, FIRST_VIEW.frames),
    order: ORDERS[order as keyof typeof ORDERS] ?? FIRST_VIEW.order,
    show: SHOWS[show as keyof typeof SHOWS] ?? FIRST_VIEW.show,
    step: clamp(Number.parseInt(step, 10), 0, 1000, 0),
  };
}

/** The view with what was chosen in one of its selects: a step to look at, or how many frames. */
export function withChoice(view: View, chosen: string): View {
  const number = Number.parseInt(chosen, 10);
  return view.kind === 'step'
    ? { ...view, step: clamp(number, 1, 1000, view.step) }
    : { ...view, frames: clamp(number, 4, 64, view.frames) };
}

function clamp(value: number, low: number, high: number, otherwise: number): number {
  return Number.isInteger(value) ? Math.min(Math.max(value, low), high) : otherwise;
}

/** All kept steps up to `last`, beginning with those of the picture that it branched from. */
async function allSteps(bot: Bot, generation: Generation, last?: number): Promise<KeptStep[]> {
  const own = await bot.store.steps(generation.id, last);
  if (generation.branchStep === null || generation.parentId === null) return own;
  const parent = await bot.store.get(generation.parentId);
  if (parent === undefined || parent.flagged) return own;
  const before = await allSteps(bot, parent, Math.min(generation.branchStep, last ?? Infinity));
  return [...before, ...own];
}

/**
 * Replaces the reply by a view of a generation's steps, when its turn has come.
 * @param message that the reply is, where it need not be changed if a newer view of it is asked for
 * @throws UserError when no steps are kept
 */
export async function showView(
  bot: Bot,
  exchange: Exchange,
  generation: Generation,
  view: View,
  message?: string,
): Promise<void> {
  const draw = () => drawView(bot, exchange, generation, view);
  await bot.views.show(exchange.userId, draw, message);
}

async function drawView(
  bot: Bot,
  exchange: Exchange,
  generation: Generation,
  view: View,
): Promise<void> {
  const texts = textsFor(exchange.locale);
  const maxBytes = largestFile(exchange.attachmentLimit);
  const { image, seen, kept } = await picture(bot, generation, view, maxBytes);
  const origin = await originOf(bot.store, generation, exchange.channelId);
  await exchange.edit(panel(generation, seen, kept, image, origin, texts));
}

async function picture(
  bot: Bot,
  generation: Generation,
  view: View,
  maxBytes: number,
): Promise<{ image: EncodedImage; seen: View; kept: number }> {
  const { model } = generation.parameters;
  const engine = bot.engines.any(model);
  if (view.kind === 'step') {
    const wanted = clamp(view.step, 1, generation.stepIndex, generation.stepIndex);
    const owner = await ownerOfStep(bot.store, generation, wanted);
    if (owner !== undefined) checkShowable(owner);
    const step = owner && (await bot.store.step(owner.id, wanted));
    if (step === undefined) throw stepsGone();
    return {
      image: await engine.picture(step, view.show, maxBytes, model),
      seen: { ...view, step: wanted },
      kept: generation.stepIndex,
    };
  }
  if (view.kind !== 'changes') checkShowable(generation);
  const steps = await allSteps(bot, generation);
  if (steps.length === 0) throw stepsGone();
  const options: EvolutionOptions = {
    kind: view.kind,
    frames: view.kind === 'sheet' ? view.frames : Math.min(steps.length, ANIMATION_FRAMES),
    order: view.order,
    show: view.show,
  };
  // A sheet of more frames than there are steps says how many it has.
  const seen = { ...view, frames: Math.min(view.frames, mostFrames(steps.length)) };
  const image = await engine.evolution(steps, options, maxBytes, model);
  return { image, seen, kept: steps.length };
}

/**
 * @param kept how many steps there are to show
 * @param origin a link to the message of the picture that this one was made from
 */
function panel(
  generation: Generation,
  view: View,
  kept: number,
  image: EncodedImage,
  origin: string | undefined,
  texts: Texts,
): MessageBody {
  const { id, stepIndex, stepTotal } = generation;
  const prompt = display(generation.parameters.prompt, 200);
  const what =
    view.kind === 'step'
      ? capital(texts.step(view.step, stepTotal))
      : view.kind === 'changes'
        ? texts.changesTitle
        : texts.stepsTitle;
  const name = view.kind === 'step' ? `step-${view.step}` : view.kind;
  const shown = view.kind === 'changes' ? 'changes' : view.show;
  const explained = texts.explained(shown, view.kind === 'step');
  const count = view.kind === 'sheet' ? `, ${texts.frames(view.frames)}` : '';
  const altText = plain(`${what}${count}. ${explained} ${generation.parameters.prompt}`, 1000);
  const { branchStep, branchSeed } = generation;
  const notes = [
    ...(branchStep === null || branchSeed === null
      ? []
      : [texts.branched(branchStep, stepTotal, branchSeed, undefined)]),
    ...(origin === undefined ? [] : [texts.comesFrom(origin)]),
  ];
  return {
    content: [
      `> ${prompt === '' ? `*${texts.noPrompt}*` : prompt}`,
      `**${what}** · ${texts.seed} \`${generation.parameters.seed}\``,
      `-# ${explained}`,
      ...(notes.length === 0 ? [] : [`-# ${capital(notes.join(' · '))}`]),
    ].join('\n'),
    components: rows(id, view, { kept, last: stepIndex, total: stepTotal }, texts),
    files: [fileOf(image, id, name, altText)],
  };
}

function rows(
  id: string,
  view: View,
  { kept, last, total }: { readonly kept: number; readonly last: number; readonly total: number },
  texts: Texts,
): Row[] {
  const to = (change: Partial<View>, where: string) => viewId(id, { ...view, ...change }, where);
  const kinds = (['sheet', 'animation', 'changes'] as const).map((kind) =>
    button(
      texts.buttons[kind],
      to({ kind }, kind),
      view.kind === kind ? ButtonStyle.Primary : ButtonStyle.Secondary,
      view.kind === kind || (kind === 'changes' && kept < 2),
    ),
  );
  const other = view.show === 'prediction' ? 'latents' : 'prediction';
  const toggles = [
    button(
      texts.buttons[other],
      to({ show: other }, 'show'),
      ButtonStyle.Secondary,
      view.kind === 'changes',
    ),
  ];
  if (view.kind === 'sheet') {
    const order = view.order === 'reading' ? 'condensing' : 'reading';
    toggles.push(button(texts.buttons[order], to({ order }, 'order')));
  }
  const single = view.kind === 'step';
  const at = (step: number) => Math.min(Math.max(step, 1), last);
  const move = (label: string, step: number, where: string, disabled: boolean) =>
    button(label, to({ kind: 'step', step: at(step) }, where), ButtonStyle.Secondary, disabled);
  const atFirst = single && view.step <= 1;
  const atLast = single && view.step >= last;
  const result: Row[] = [
    row(...kinds, ...toggles),
    row(
      move(texts.buttons.first, 1, 'first', atFirst),
      // From where one has been last; who has not been anywhere has no way on from there.
      ...(view.step === 0
        ? []
        : [
            move(texts.buttons.earlier, view.step - 1, 'back', atFirst),
            move(texts.buttons.later, view.step + 1, 'on', atLast),
          ]),
      move(texts.buttons.last, last, 'last', atLast),
    ),
    ...stepChoice(id, view, last, texts),
  ];
  const choices = frameChoices(view.frames, kept);
  if (view.kind === 'sheet' && choices.length > 1) {
    result.push({
      type: ComponentType.ActionRow,
      components: [
        {
          type: ComponentType.StringSelect,
          custom_id: viewId(id, view, 'frames'),
          options: choices.map((frames) => ({
            label: texts.frames(frames),
            value: String(frames),
            default: frames === view.frames,
          })),
        },
      ],
    });
  }
  if (total > 1) {
    const branch =
      single && view.step < total
        ? [
            button(
              texts.branchHere(view.step),
              customId('branch', id, view.step),
              ButtonStyle.Success,
            ),
          ]
        : [];
    result.push(
      row(
        ...branch,
        button(texts.buttons.subtle, customId('vary', id, 'subtle')),
        button(texts.buttons.strong, customId('vary', id, 'strong')),
        button(texts.buttons.chance, customId('chance', id)),
      ),
    );
  }
  return result;
}

/** A list of the steps to look at, evenly spread where they are more than a list holds. */
function stepChoice(id: string, view: View, last: number, texts: Texts): Row[] {
  if (last < 3) return []; // the buttons reach them all
  const all = Array.from({ length: last }, (_, i) => i + 1);
  return [
    {
      type: ComponentType.ActionRow,
      components: [
        {
          type: ComponentType.StringSelect,
          custom_id: viewId(id, { ...view, kind: 'step' }, 'choose'),
          placeholder: texts.chooseStep,
          options: evenly(all, MOST_CHOICES).map((step) => ({
            label: capital(texts.step(step, last)),
            value: String(step),
            default: view.kind === 'step' && step === view.step,
          })),
        },
      ],
    },
  ];
}

/** How many frames a sheet may have: no more than there are steps, and all of them where they fit. */
export function frameChoices(shown: number, steps: number): number[] {
  const all = mostFrames(steps);
  const fewer = FRAME_CHOICES.filter((frames) => frames < all);
  return [...new Set([...fewer, all, Math.min(shown, all)])].sort((a, b) => a - b);
}

function mostFrames(steps: number): number {
  return Math.min(steps, 64);
}

/** @throws UserError when the picture itself is shown to nobody: its steps would show it */
export function checkShowable({ flagged }: Generation): void {
  if (!flagged) return;
  throw new UserError(
    'steps-unsafe',
    'The safety checker found something in this picture; its steps are not shown.',
  );
}

/** @throws UserError unless the picture has ended with an image */
export function checkHasSteps(generation: Generation): void {
  if (generation.state !== 'done' && generation.state !== 'stopped') {
    throw new UserError(
      'not-finished',
      'This picture has no steps to show: it has not been finished.',
    );
  }
}

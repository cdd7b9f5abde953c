// English.

import type { Texts } from './types.js';

export const en: Texts = {
  language: 'en-US',
  noPrompt: '(no prompt)',
  buttons: {
    reroll: 'Reroll',
    steps: 'Steps',
    subtle: 'Vary (subtle)',
    strong: 'Vary (strong)',
    edit: 'Edit',
    delete: 'Delete',
    stop: 'Stop here',
    cancel: 'Cancel',
    keep: 'Keep it coming',
    first: 'First step',
    earlier: 'Earlier',
    later: 'Later',
    last: 'Last step',
    sheet: 'Sheet',
    animation: 'Animation',
    changes: 'Changes',
    chance: 'How late does chance matter?',
    beside: 'Side by side',
    refresh: 'Refresh',
    prediction: 'Show prediction',
    latents: 'Show noise',
    reading: 'Flip: first at the top',
    condensing: 'Flip: first at the bottom',
  },
  waiting: (ahead, wait) =>
    `${ahead === 0 ? 'Next in line' : `${ahead} ahead in line`}${wait === undefined ? '' : ` · starts in about ${wait}`}`,
  starting: 'Starting',
  step: (index, total) => `step ${index} of ${total}`,
  left: (duration) => `about ${duration} left`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
  seed: 'Seed',
  steps: (n) => (n === 1 ? '1 step' : `${n} steps`),
  guidance: 'guidance',
  without: (what) => `Without: ${what}`,
  stoppedAfter: (index, total) => `stopped after step ${index} of ${total}`,
  flagged: 'blurred: the model’s safety checker found something in it',
  painted: (prompt) =>
    prompt === ''
      ? 'A picture painted without a prompt'
      : `A picture painted from the prompt: ${prompt}`,
  sizeAndSeed: (width, height, seed) => `${width}x${height}, seed ${seed}`,
  unheeded: (pieces) => `no effect here: ${pieces}`,
  branched: (step, total, seed, changed) =>
    `kept ${step === 1 ? 'step 1' : `steps 1–${step}`} of ${total}, then new noise (seed \`${seed}\`)${changed === undefined ? '' : `: ${changed} of the pixels look different`}`,
  comesFrom: (link) => `came from [this picture](${link})`,
  branchHere: (step) => `Branch after step ${step}`,
  cancelled: 'Cancelled.',
  nothingToCancel: 'Nothing of yours waits or runs.',
  cancelledCount: (n) => (n === 1 ? 'Cancelled one picture.' : `Cancelled ${n} pictures.`),
  privateNotice:
    'A private picture was done later than Discord lets a private reply be changed. Its owner gets it with their next command here, privately.',
  tooLarge:
    'This picture is larger than I may upload here myself. Its owner gets it with their next command, privately.',
  dying:
    'Discord lets me change a private reply for 15 minutes only. Press the button to go on seeing it here.',
  restarting: 'I am restarting. Your place is kept, and this goes on by itself.',
  restartingAt: (step) =>
    step === 0
      ? 'I am restarting. This begins again by itself.'
      : `I am restarting. This goes on after step ${step} by itself.`,
  interrupted: 'I was restarted before I could take this up. Please ask again.',
  broke: (id) => `Something broke here. Whoever runs this bot finds it in the log as \`${id}\`.`,
  cannotKeep: (id) =>
    `I cannot write to my disk just now, so nothing was begun. Whoever runs this bot finds why in the log as \`${id}\`.`,
  frames: (n) => (n === 1 ? '1 frame' : `${n} frames`),
  stepsTitle: 'How it came to be',
  explained: (view, single) =>
    ({
      prediction: `What the model expected the picture to become, after ${single ? 'this' : 'each'} step.`,
      latents: `The picture itself after ${single ? 'this' : 'each'} step, noise and all.`,
      changes: 'A tall bar: this step changed much. Low bars: chance hardly matters any more.',
    })[view],
  chooseStep: 'Look at a step …',
  changesTitle: 'How much each step changed the prediction',
  besideTitle: 'How late chance matters',
  besideExplained: (seed, linked) =>
    `First ${linked('the picture itself')}, then the same with new noise (seed \`${seed}\`) from a later and later step on. At the bottom: how many of the pixels look different.`,
  besideShows: (branches) => {
    const list = branches.map(
      ({ step, changed }) =>
        `after step ${step}${changed === undefined ? '' : ` (${changed} of the pixels look different)`}`,
    );
    return `Side by side: the picture itself, then the same with new noise ${list.join(', ')}.`;
  },
  afterStep: (step, what) => `after step ${step}: ${what}`,
  besideLacks: (why) =>
    ({
      pending: 'not painted yet',
      flagged: 'not shown, the safety checker found something in it',
      none: 'no picture',
    })[why],
  queueEmpty: 'Nothing waits and nothing runs.',
  queueLine: (running, waiting) => `${running} running, ${waiting} waiting.`,
  queueOthers: 'People take turns: one with many pictures does not hold up one with few.',
  paints: (model, provider) => `${model} on ${provider === 'CPU' ? 'the CPU' : provider}`,
  ago: (duration) => `${duration} ago`,
  all: 'All of mine',
  private: 'private',
  editTitle: 'Edit and paint again',
  editPrompt: 'Prompt',
  editNegative: 'Negative prompt (what to avoid)',
  initTitle: 'Paint from this picture',
  strength: 'strength',
  fromImage: (strength, masked) =>
    `from an image${masked ? ' with a mask' : ''}, strength ${strength}`,
  usual: 'default',
  goodFor: (kind) =>
    ({
      quick: 'Paints in few steps: good for trying things out.',
      large: 'Paints large pictures with much detail; takes its time.',
      small: 'Small and quick on any machine; knows little.',
      usual: 'An all-rounder.',
    })[kind],
  more: (n) => (n === 1 ? 'and one more' : `and ${n} more`),
  noImages: 'Cannot begin from an image.',
  loaded: 'Ready at once.',
  damaged: 'Damaged: whoever runs this bot finds why in its log.',
  bytes: (count, mega) => `${count} ${mega ? 'MB' : 'GB'}`,
  errors: {},
};

// Every sentence that replies are made of. One file per locale has them all.

export type ButtonName =
  | 'reroll'
  | 'steps'
  | 'subtle'
  | 'strong'
  | 'edit'
  | 'delete'
  | 'stop'
  | 'cancel'
  | 'keep'
  | 'first'
  | 'earlier'
  | 'later'
  | 'last'
  | 'sheet'
  | 'animation'
  | 'changes'
  | 'chance'
  | 'beside'
  | 'refresh'
  | 'prediction'
  | 'latents'
  | 'reading'
  | 'condensing';

export interface Texts {
  /** for Intl */
  readonly language: string;
  readonly noPrompt: string;
  readonly buttons: Readonly<Record<ButtonName, string>>;
  /** ahead: jobs before this one; wait: as `duration` writes it */
  waiting(ahead: number, wait: string | undefined): string;
  starting: string;
  step(index: number, total: number): string;
  left(duration: string): string;
  seconds(n: number): string;
  minutes(n: number): string;
  seed: string;
  steps(n: number): string;
  guidance: string;
  without(what: string): string;
  stoppedAfter(index: number, total: number): string;
  /** of a picture that was blurred by its model's safety checker */
  readonly flagged: string;
  /** what a picture is for those who cannot see it; ends with the prompt, unless that is empty */
  painted(prompt: string): string;
  /** the same, in brackets behind it */
  sizeAndSeed(width: number, height: number, seed: number): string;
  /** of pieces of the prompt that are another program's syntax */
  unheeded(pieces: string): string;
  /** new noise came in after `step`; changed: the share of pixels that look different, as a percentage */
  branched(step: number, total: number, seed: number, changed: string | undefined): string;
  /** of what was made from another picture; link: to the message of that one */
  comesFrom(link: string): string;
  branchHere(step: number): string;
  cancelled: string;
  nothingToCancel: string;
  cancelledCount(n: number): string;
  privateNotice: string;
  tooLarge: string;
  /** under a private reply that Discord soon lets nobody change */
  dying: string;
  /** the bot ends; of a picture that waits, and of one that is being painted */
  restarting: string;
  restartingAt(step: number): string;
  /** of a command that a restart cut off before anything of it was promised */
  readonly interrupted: string;
  /** for bugs: id names the log line */
  broke(id: string): string;
  /** the store fails, as with a full disk; id as above */
  cannotKeep(id: string): string;
  frames(n: number): string;
  stepsTitle: string;
  /** what a view of /steps shows, in a sentence; single: one step alone */
  explained(view: 'prediction' | 'latents' | 'changes', single: boolean): string;
  /** in a list of steps to look at */
  chooseStep: string;
  changesTitle: string;
  besideTitle: string;
  /**
   * of a sheet of a picture and of branches of it, all with new noise of one seed; linked: makes the
   * words for the picture a link to its message, where there is one
   */
  besideExplained(seed: number, linked: (words: string) => string): string;
  /** the same for those who cannot see it; changed: as of `branched` */
  besideShows(
    branches: readonly { readonly step: number; readonly changed: string | undefined }[],
  ): string;
  /** what is to be said of the branch from that step */
  afterStep(step: number, what: string): string;
  /** why a branch is not on the sheet: it is not done, nobody is shown it, or it came to nothing */
  besideLacks(why: 'pending' | 'flagged' | 'none'): string;
  queueEmpty: string;
  queueLine(running: number, waiting: number): string;
  queueOthers: string;
  /** provider: by its usual name, such as 'CPU' or 'CUDA' */
  paints(model: string, provider: string): string;
  ago(duration: string): string;
  all: string;
  private: string;
  editTitle: string;
  editPrompt: string;
  editNegative: string;
  initTitle: string;
  strength: string;
  /** of a picture that began from another; strength as a number of this language */
  fromImage(strength: string, masked: boolean): string;
  /** marks the default model */
  usual: string;
  /** what a model of a kind is good for, in a sentence */
  goodFor(kind: 'quick' | 'large' | 'small' | 'usual'): string;
  more(n: number): string;
  /** of a model without a VAE encoder */
  noImages: string;
  /** of a model: it is in memory; it cannot be painted with */
  loaded: string;
  damaged: string;
  /** count in megabytes, or else in gigabytes */
  bytes(count: string, mega: boolean): string;
  /** by identifier of a UserError; those missing are told in English */
  readonly errors: Readonly<
    Record<string, (context: Readonly<Record<string, string | number>>) => string>
  >;
}

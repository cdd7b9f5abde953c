// Deutsch.

import type { Texts } from './types.js';

const part = (what: string | number | undefined) =>
  what === 'mask' ? 'Die Maske' : 'Das Ausgangsbild';

export const de: Texts = {
  language: 'de',
  noPrompt: '(ohne Prompt)',
  buttons: {
    reroll: 'Neu würfeln',
    steps: 'Schritte',
    subtle: 'Leicht abwandeln',
    strong: 'Stark abwandeln',
    edit: 'Bearbeiten',
    delete: 'Löschen',
    stop: 'Hier anhalten',
    cancel: 'Abbrechen',
    keep: 'Weiter zeigen',
    first: 'Erster Schritt',
    earlier: 'Zurück',
    later: 'Weiter',
    last: 'Letzter Schritt',
    sheet: 'Kontaktbogen',
    animation: 'Animation',
    changes: 'Änderungen',
    chance: 'Wie spät zählt der Zufall?',
    beside: 'Nebeneinander',
    refresh: 'Aktualisieren',
    prediction: 'Vorhersage zeigen',
    latents: 'Rauschen zeigen',
    reading: 'Umdrehen: Anfang oben',
    condensing: 'Umdrehen: Anfang unten',
  },
  waiting: (ahead, wait) =>
    `${ahead === 0 ? 'Als Nächstes dran' : `Noch ${ahead} davor`}${wait === undefined ? '' : ` · beginnt in etwa ${wait}`}`,
  starting: 'Beginnt',
  step: (index, total) => `Schritt ${index} von ${total}`,
  left: (duration) => `noch etwa ${duration}`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
  seed: 'Seed',
  steps: (n) => (n === 1 ? '1 Schritt' : `${n} Schritte`),
  guidance: 'Guidance',
  without: (what) => `Ohne: ${what}`,
  stoppedAfter: (index, total) => `nach Schritt ${index} von ${total} angehalten`,
  flagged: 'unscharf gemacht: Der Sicherheitsfilter des Modells hat darin etwas gefunden',
  painted: (prompt) =>
    prompt === '' ? 'Ein Bild, gemalt ohne Prompt' : `Ein Bild, gemalt nach dem Prompt: ${prompt}`,
  sizeAndSeed: (width, height, seed) => `${width}x${height}, Seed ${seed}`,
  unheeded: (pieces) => `hier ohne Wirkung: ${pieces}`,
  branched: (step, total, seed, changed) =>
    `${step === 1 ? 'Schritt 1' : `Schritte 1–${step}`} von ${total} behalten, dann neues Rauschen (Seed \`${seed}\`)${changed === undefined ? '' : `: ${changed} der Pixel sehen anders aus`}`,
  comesFrom: (link) => `entstand aus [diesem Bild](${link})`,
  branchHere: (step) => `Nach Schritt ${step} abzweigen`,
  cancelled: 'Abgebrochen.',
  nothingToCancel: 'Von dir wartet oder läuft gerade nichts.',
  cancelledCount: (n) => (n === 1 ? 'Ein Bild abgebrochen.' : `${n} Bilder abgebrochen.`),
  privateNotice:
    'Ein privates Bild wurde später fertig, als Discord private Antworten ändern lässt. Wem es gehört, bekommt es mit dem nächsten Befehl, privat.',
  tooLarge:
    'Dieses Bild ist größer, als ich selbst hier hochladen darf. Wem es gehört, der bekommt es mit seinem nächsten Befehl, privat.',
  dying:
    'Discord lässt mich eine private Antwort nur 15 Minuten lang ändern. Mit dem Knopf siehst du sie hier weiter.',
  restarting: 'Ich starte neu. Dein Platz bleibt, und es geht von selbst weiter.',
  restartingAt: (step) =>
    step === 0
      ? 'Ich starte neu. Es fängt von selbst wieder an.'
      : `Ich starte neu. Es geht nach Schritt ${step} von selbst weiter.`,
  interrupted: 'Ich wurde neu gestartet, bevor ich damit anfangen konnte. Bitte frag noch einmal.',
  broke: (id) => `Hier ist etwas kaputtgegangen. Im Protokoll des Bots steht es unter \`${id}\`.`,
  cannotKeep: (id) =>
    `Ich kann gerade nicht auf meine Festplatte schreiben und habe nichts begonnen. Warum, steht im Protokoll des Bots unter \`${id}\`.`,
  frames: (n) => (n === 1 ? '1 Bild' : `${n} Bilder`),
  stepsTitle: 'Wie es entstand',
  explained: (view, single) =>
    ({
      prediction: `Was das Modell nach ${single ? 'diesem' : 'jedem'} Schritt als fertiges Bild erwartete.`,
      latents: `Das Bild selbst nach ${single ? 'diesem' : 'jedem'} Schritt, samt Rauschen.`,
      changes:
        'Hoher Balken: Der Schritt hat viel verändert. Niedrige Balken: Der Zufall zählt kaum noch.',
    })[view],
  chooseStep: 'Einen Schritt ansehen …',
  changesTitle: 'Wie viel jeder Schritt an der Vorhersage änderte',
  besideTitle: 'Wie spät der Zufall zählt',
  besideExplained: (seed, linked) =>
    `Zuerst ${linked('das Bild selbst')}, dann dasselbe mit neuem Rauschen (Seed \`${seed}\`), das immer später dazukam. Unten steht, wie viele der Pixel anders aussehen.`,
  besideShows: (branches) => {
    const list = branches.map(
      ({ step, changed }) =>
        `nach Schritt ${step}${changed === undefined ? '' : ` (${changed} der Pixel sehen anders aus)`}`,
    );
    return `Nebeneinander: das Bild selbst, dann dasselbe mit neuem Rauschen ${list.join(', ')}.`;
  },
  afterStep: (step, what) => `nach Schritt ${step}: ${what}`,
  besideLacks: (why) =>
    ({
      pending: 'noch nicht gemalt',
      flagged: 'wird nicht gezeigt, der Sicherheitsfilter hat darin etwas gefunden',
      none: 'kein Bild',
    })[why],
  queueEmpty: 'Nichts wartet und nichts läuft.',
  queueLine: (running, waiting) => `${running} in Arbeit, ${waiting} wartend.`,
  queueOthers:
    'Alle kommen reihum dran: Wer viel bestellt, hält niemanden auf, der wenig bestellt.',
  paints: (model, provider) => `${model} ${provider === 'CPU' ? 'auf der CPU' : `mit ${provider}`}`,
  ago: (duration) => `vor ${duration}`,
  all: 'Alle meine',
  private: 'privat',
  editTitle: 'Bearbeiten und neu malen',
  editPrompt: 'Prompt',
  editNegative: 'Negativer Prompt (was fehlen soll)',
  initTitle: 'Von diesem Bild aus malen',
  strength: 'Stärke',
  fromImage: (strength, masked) =>
    `aus einem Bild${masked ? ' mit Maske' : ''}, Stärke ${strength}`,
  usual: 'Standard',
  goodFor: (kind) =>
    ({
      quick: 'Malt in wenigen Schritten: gut zum Ausprobieren.',
      large: 'Malt große Bilder mit vielen Einzelheiten; braucht seine Zeit.',
      small: 'Klein und schnell auf jedem Rechner; kennt wenig.',
      usual: 'Ein Allrounder.',
    })[kind],
  more: (n) => (n === 1 ? 'und noch eines' : `und ${n} weitere`),
  noImages: 'Kann nicht von einem Bild ausgehen.',
  loaded: 'Sofort bereit.',
  damaged: 'Beschädigt: Wer den Bot betreibt, findet den Grund in seinem Protokoll.',
  bytes: (count, mega) => `${count} ${mega ? 'MB' : 'GB'}`,
  errors: {
    'steps-range': ({ min, max }) =>
      `Mit diesem Modell und Scheduler gehen ${min} bis ${max} Schritte.`,
    'scheduler-flow': ({ scheduler }) =>
      `Der Scheduler ${scheduler} passt nicht zu diesem Modell; nimm einen, den /imagine dafür vorschlägt.`,
    'no-clip-skip': () =>
      'Dieses Modell kann keine Schichten seines Textencoders auslassen (Clip skip).',
    'bad-weight': ({ max }) => `Die Gewichte in einem Prompt dürfen höchstens ${max} ergeben.`,
    'file-slow': () => 'Dieses Bild zu lesen hat zu lange gedauert; drück den Knopf noch einmal.',
    'no-steps': () => 'Von diesem Bild sind keine Schritte gespeichert.',
    'init-gone': () => 'Das Ausgangsbild von diesem Bild ist nicht mehr gespeichert.',
    'image-missing': () => 'Maske und Stärke gehören zu einem Ausgangsbild: Gib auch das an.',
    'no-picture': () => 'An dieser Nachricht hängt kein Bild, das ich nehmen könnte.',
    'no-parameters': () =>
      'In der Datei dieses Bildes steht nicht, wie es entstand; mit „Als Ausgangsbild nehmen“ malst du von ihm aus.',
    'unknown-format': () =>
      'Die Datei dieses Bildes ist kein PNG, JPEG, WebP oder GIF; andere kann ich nicht lesen.',
    'image-slow': ({ what }) =>
      `${part(what)} zu lesen hat zu lange gedauert; schick eine kleinere Datei.`,
    'bad-image': ({ what }) =>
      `${part(what)} muss eine ganze PNG-, JPEG-, WebP- oder GIF-Datei sein.`,
    'image-too-large': ({ what, width, height, max }) =>
      `${part(what)} hat ${width}x${height} Pixel; höchstens ${max} Millionen sind erlaubt.`,
    'attachment-host': () => 'Ich nehme Dateien nur von Discord selbst; lade diese hier hoch.',
    'attachment-too-large': ({ max }) => `Eine Datei darf höchstens ${max} MiB haben.`,
    'attachment-slow': () => 'Die Datei kam zu langsam an; versuch es noch einmal.',
    'attachment-unreachable': () => 'Die Datei war nicht zu bekommen; lade sie noch einmal hoch.',
    'bad-strength': () => 'Die Stärke muss eine Zahl über 0 und höchstens 1 sein.',
    'strength-too-small': ({ strength, steps, least }) =>
      `Bei einer Stärke von ${strength} bleibt in ${steps} ${steps === 1 ? 'Schritt' : 'Schritten'} nichts zu tun; nimm mindestens ${least} Schritte oder mehr Stärke.`,
    'steps-for-strength': ({ strength, steps, max }) =>
      `Bei einer Stärke von ${strength} kann dieses Modell höchstens ${max} ${max === 1 ? 'Schritt' : 'Schritte'} machen, nicht ${steps}; nimm weniger Schritte oder mehr Stärke.`,
    'image-not-finite': ({ model }) =>
      `Das Modell ${model} hat sich an diesem Bild verrechnet; versuch es mit einem anderen Bild oder Modell.`,
    'needs-mask': () => 'Dieses Modell malt nur innerhalb einer Maske: Gib Bild und Maske an.',
    'no-vae-encoder': () =>
      'Dieses Modell kann nicht von einem Bild aus malen; ihm fehlt der VAE-Encoder.',
    'bad-clip-skip': ({ min, max }) => `Clip skip muss eine ganze Zahl von ${min} bis ${max} sein.`,
    'model-unknown': ({ name, models }) =>
      `Ein Modell „${name}“ gibt es hier nicht; es gibt ${models}.`,
    'model-unusable': ({ name }) => `Das Modell „${name}“ ist beschädigt; nimm ein anderes.`,
    'queue-full': () => 'Die Warteschlange ist voll; versuch es in ein paar Minuten wieder.',
    'views-busy': () => 'Es werden noch Schritte gezeichnet; warte erst auf sie.',
    'queue-user-limit': ({ limit }) =>
      `Von dir warten schon so viele Bilder, wie erlaubt sind${limit === undefined ? '' : ` (${limit})`}; warte auf eines oder brich eines ab.`,
    'not-yours': () => 'Das darf nur, wem dieses Bild gehört, oder wer hier moderiert.',
    'unknown-generation': () => 'Dieses Bild kenne ich nicht mehr.',
    'original-gone': () => 'Das Bild, von dem diese abzweigen, ist nicht mehr gespeichert.',
    'no-branches': () => 'Von diesen Abzweigungen gibt es kein Bild zu zeigen.',
    'steps-gone': () => 'Die Schritte dieses Bildes sind nicht mehr gespeichert.',
    'one-step': () => 'Eine Änderung liegt zwischen zwei Schritten, und dieses Bild hat nur einen.',
    'single-step': () =>
      'Dieses Bild wurde in einem einzigen Schritt gemalt; es hat keinen, von dem sich abzweigen lässt.',
    'step-range': ({ step, last }) =>
      `Dieses Bild hat ${last === 1 ? '1 Schritt' : `${last} Schritte`}; einen Schritt ${step} gibt es nicht.`,
    'nothing-painted': () => 'Du hast hier noch nichts gemalt; fang mit /imagine an.',
    'model-changed': () =>
      'Dieses Bild stammt von einem anderen Modell; es lässt sich nur neu malen.',
    'not-running': () => 'Dieses Bild ist schon zu Ende.',
    'shutting-down': () => 'Ich starte gerade neu; versuch es gleich noch einmal.',
    'engine-gone': () => 'Das Malprogramm ist dabei abgestürzt; versuch es gleich noch einmal.',
    'engine-died': () =>
      'Das Malprogramm ist zweimal abgestürzt; versuch es mit einem kleineren Bild.',
    'step-not-finite': ({ model, index, total }) =>
      `Das Modell ${model} hat sich in Schritt ${index} von ${total} verrechnet; versuch es mit einem anderen Prompt, Scheduler oder Modell.`,
    'picture-not-finite': ({ model }) =>
      `Das Modell ${model} hat sich beim Malen verrechnet; versuch es mit einem anderen Prompt oder Modell.`,
    'picture-black': ({ model }) =>
      `Das Modell ${model} hat nur Schwarz gemalt; versuch es mit einem anderen Prompt, Scheduler oder Modell.`,
    'model-load-died': ({ name }) =>
      `Das Modell „${name}“ ließ sich nicht laden: Es braucht womöglich mehr Speicher, als da ist.`,
    'accelerator-lost': () =>
      'Die Grafikkarte ist zweimal ausgefallen; versuch es mit einem kleineren Bild.',
    'picture-unsafe': () =>
      'Der Sicherheitsfilter des Modells hat in diesem Bild etwas gefunden; es wird nicht gezeigt.',
    'steps-unsafe': () =>
      'Der Sicherheitsfilter des Modells hat in diesem Bild etwas gefunden; seine Schritte werden nicht gezeigt.',
    'out-of-memory': () =>
      'Dieses Bild passt nicht in den Speicher des Rechners oder seiner Grafikkarte; nimm eine kleinere Größe.',
    'not-finished': () => 'Dieses Bild hat keine Schritte zu zeigen: Es wurde nicht fertig.',
    'size-format': ({ example }) =>
      `Eine Größe schreibt man als Breite x Höhe in Pixeln, etwa ${example}.`,
    'bad-size': ({ multiple, min, max, nearWidth, nearHeight }) =>
      `Breite und Höhe müssen für dieses Modell Vielfache von ${multiple} sein, von ${min} bis ${max} Pixel; am nächsten liegt ${nearWidth}x${nearHeight}.`,
    'bad-seed': ({ min, max }) => `Der Seed muss eine ganze Zahl von ${min} bis ${max} sein.`,
    'bad-steps': ({ min, max }) => `Es müssen ${min} bis ${max} Schritte sein.`,
    'bad-guidance': ({ min, max }) => `Die Guidance muss eine Zahl von ${min} bis ${max} sein.`,
    'prompt-too-long': ({ max }) => `Ein Prompt darf höchstens ${max} Zeichen haben.`,
    'scheduler-unknown': ({ names }) => `Diesen Scheduler gibt es nicht; es gibt ${names}.`,
    'not-a-number': ({ field }) => `${field} muss eine Zahl sein.`,
    'count-range': () => 'Die Anzahl muss eine ganze Zahl von 1 bis 4 sein.',
    'frames-range': () => 'Auf den Kontaktbogen passen 4 bis 64 Bilder.',
    'prompt-too-long-to-edit': () =>
      'Dieser Prompt ist länger als die 4000 Zeichen, die ein Eingabefenster fasst; nimm /imagine.',
  },
};

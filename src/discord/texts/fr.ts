// Français.

import type { Texts } from './types.js';

const part = (what: string | number | undefined) =>
  what === 'mask' ? 'Le masque' : 'L’image de départ';

export const fr: Texts = {
  language: 'fr',
  noPrompt: '(sans prompt)',
  buttons: {
    reroll: 'Relancer',
    steps: 'Étapes',
    subtle: 'Varier un peu',
    strong: 'Varier beaucoup',
    edit: 'Modifier',
    delete: 'Supprimer',
    stop: 'Arrêter ici',
    cancel: 'Annuler',
    keep: 'Continuer ici',
    first: 'Première étape',
    earlier: 'Précédente',
    later: 'Suivante',
    last: 'Dernière étape',
    sheet: 'Planche',
    animation: 'Animation',
    changes: 'Changements',
    chance: 'Jusqu’où le hasard compte-t-il ?',
    beside: 'Côte à côte',
    refresh: 'Actualiser',
    prediction: 'Montrer la prédiction',
    latents: 'Montrer le bruit',
    reading: 'Retourner : début en haut',
    condensing: 'Retourner : début en bas',
  },
  waiting: (ahead, wait) =>
    `${ahead === 0 ? 'La prochaine' : `${ahead} devant vous`}${wait === undefined ? '' : ` · début dans environ ${wait}`}`,
  starting: 'Démarrage',
  step: (index, total) => `étape ${index} sur ${total}`,
  left: (duration) => `encore environ ${duration}`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
  seed: 'Graine',
  steps: (n) => (n === 1 ? '1 étape' : `${n} étapes`),
  guidance: 'guidage',
  without: (what) => `Sans : ${what}`,
  stoppedAfter: (index, total) => `arrêtée après l’étape ${index} sur ${total}`,
  flagged: 'floutée : le filtre de sécurité du modèle y a trouvé quelque chose',
  painted: (prompt) =>
    prompt === ''
      ? 'Une image peinte sans prompt'
      : `Une image peinte d’après le prompt : ${prompt}`,
  sizeAndSeed: (width, height, seed) => `${width}x${height}, graine ${seed}`,
  unheeded: (pieces) => `sans effet ici : ${pieces}`,
  branched: (step, total, seed, changed) =>
    `${step === 1 ? 'étape 1 gardée' : `étapes 1 à ${step} gardées`} sur ${total}, puis nouveau bruit (graine \`${seed}\`)${changed === undefined ? '' : ` : ${changed} des pixels ont changé`}`,
  comesFrom: (link) => `issue de [cette image](${link})`,
  branchHere: (step) => `Bifurquer après l’étape ${step}`,
  cancelled: 'Annulé.',
  nothingToCancel: 'Vous n’avez aucune image en attente ni en cours.',
  cancelledCount: (n) => (n === 1 ? 'Une image annulée.' : `${n} images annulées.`),
  privateNotice:
    'Une image privée s’est terminée trop tard pour que Discord laisse changer la réponse privée. Son propriétaire la recevra en privé avec sa prochaine commande.',
  tooLarge:
    'Cette image est plus grande que ce que je peux envoyer ici moi-même. Son propriétaire la recevra en privé avec sa prochaine commande.',
  dying:
    'Discord ne me laisse changer une réponse privée que pendant 15 minutes. Le bouton permet de continuer à la voir ici.',
  restarting: 'Je redémarre. Votre place est gardée, et cela continuera tout seul.',
  restartingAt: (step) =>
    step === 0
      ? 'Je redémarre. Cela recommencera tout seul.'
      : `Je redémarre. Cela continuera tout seul après l’étape ${step}.`,
  interrupted: 'J’ai été redémarré avant de pouvoir m’en occuper. Veuillez réessayer.',
  broke: (id) => `Une erreur s’est produite. Le journal du bot la note sous \`${id}\`.`,
  cannotKeep: (id) =>
    `Je ne peux pas écrire sur mon disque en ce moment ; rien n’a été commencé. La raison est dans le journal du bot sous \`${id}\`.`,
  frames: (n) => (n === 1 ? '1 image' : `${n} images`),
  stepsTitle: 'Comment elle est née',
  explained: (view, single) =>
    ({
      prediction: `L’image finale que le modèle attendait après ${single ? 'cette' : 'chaque'} étape.`,
      latents: `L’image elle-même après ${single ? 'cette' : 'chaque'} étape, bruit compris.`,
      changes:
        'Barre haute : l’étape a beaucoup changé l’image. Barres basses : le hasard ne compte presque plus.',
    })[view],
  chooseStep: 'Regarder une étape …',
  changesTitle: 'Combien chaque étape a changé la prédiction',
  besideTitle: 'Jusqu’où le hasard compte',
  besideExplained: (seed, linked) =>
    `D’abord ${linked('l’image elle-même')}, puis la même avec un nouveau bruit (graine \`${seed}\`) venu de plus en plus tard. En bas : la part des pixels qui ont changé.`,
  besideShows: (branches) => {
    const list = branches.map(
      ({ step, changed }) =>
        `après l’étape ${step}${changed === undefined ? '' : ` (${changed} des pixels ont changé)`}`,
    );
    return `Côte à côte : l’image elle-même, puis la même avec un nouveau bruit ${list.join(', ')}.`;
  },
  afterStep: (step, what) => `après l’étape ${step} : ${what}`,
  besideLacks: (why) =>
    ({
      pending: 'pas encore peinte',
      flagged: 'non montrée, le filtre de sécurité y a trouvé quelque chose',
      none: 'pas d’image',
    })[why],
  queueEmpty: 'Rien n’attend et rien ne tourne.',
  queueLine: (running, waiting) => `${running} en cours, ${waiting} en attente.`,
  queueOthers: 'Chacun son tour : qui demande beaucoup ne retarde pas qui demande peu.',
  paints: (model, provider) => `${model} ${provider === 'CPU' ? 'sur le CPU' : `avec ${provider}`}`,
  ago: (duration) => `il y a ${duration}`,
  all: 'Toutes les miennes',
  private: 'privée',
  editTitle: 'Modifier et repeindre',
  editPrompt: 'Prompt',
  editNegative: 'Prompt négatif (à éviter)',
  initTitle: 'Peindre à partir de cette image',
  strength: 'force',
  fromImage: (strength, masked) =>
    `à partir d’une image${masked ? ' avec un masque' : ''}, force ${strength}`,
  usual: 'par défaut',
  goodFor: (kind) =>
    ({
      quick: 'Peint en peu d’étapes : bon pour essayer.',
      large: 'Peint de grandes images très détaillées ; prend son temps.',
      small: 'Petit et rapide sur toute machine ; connaît peu de choses.',
      usual: 'Polyvalent.',
    })[kind],
  more: (n) => (n === 1 ? 'et encore un' : `et encore ${n}`),
  noImages: 'Ne peut pas partir d’une image.',
  loaded: 'Prêt tout de suite.',
  damaged: 'Endommagé : l’hébergeur du bot en trouvera la raison dans son journal.',
  bytes: (count, mega) => `${count} ${mega ? 'Mo' : 'Go'}`,
  errors: {
    'steps-range': ({ min, max }) =>
      `Avec ce modèle et ce scheduler, de ${min} à ${max} étapes sont possibles.`,
    'scheduler-flow': ({ scheduler }) =>
      `Le scheduler ${scheduler} ne va pas avec ce modèle ; prenez-en un que /imagine propose pour lui.`,
    'no-clip-skip': () =>
      'Ce modèle ne peut pas sauter de couches de son encodeur de texte (Clip skip).',
    'bad-weight': ({ max }) => `Les poids d’un prompt peuvent faire au plus ${max}.`,
    'file-slow': () =>
      'Lire cette image a pris trop de temps ; appuyez encore une fois sur le bouton.',
    'no-steps': () => 'Aucune étape de cette image n’est gardée.',
    'init-gone': () => 'L’image de départ de cette image n’est plus gardée.',
    'image-missing': () =>
      'Un masque et une force vont avec une image de départ : donnez-la aussi.',
    'no-picture': () => 'Ce message n’a pas d’image que je puisse prendre.',
    'no-parameters': () =>
      'Le fichier de cette image ne dit pas comment elle est née ; « Partir de cette image » permet d’en repartir.',
    'unknown-format': () =>
      'Le fichier de cette image n’est ni PNG, ni JPEG, ni WebP, ni GIF ; je n’en lis pas d’autre.',
    'image-slow': ({ what }) =>
      `${part(what)} : la lecture a pris trop de temps ; envoyez un fichier plus petit.`,
    'bad-image': ({ what }) => `${part(what)} doit être un fichier PNG, JPEG, WebP ou GIF entier.`,
    'image-too-large': ({ what, width, height, max }) =>
      `${part(what)} a ${width}x${height} pixels ; ${max} millions au plus sont permis.`,
    'attachment-host': () =>
      'Je ne prends des fichiers que chez Discord ; envoyez celui-ci ici même.',
    'attachment-too-large': ({ max }) => `Un fichier peut avoir au plus ${max} Mio.`,
    'attachment-slow': () => 'Le fichier a mis trop de temps à venir ; réessayez.',
    'attachment-unreachable': () => 'Le fichier n’a pas pu être obtenu ; envoyez-le à nouveau.',
    'bad-strength': () => 'La force doit être un nombre au-dessus de 0 et d’au plus 1.',
    'strength-too-small': ({ strength, steps, least }) =>
      `Une force de ${strength} ne laisse rien à faire en ${steps === 1 ? '1 étape' : `${steps} étapes`} ; prenez au moins ${least} étapes ou plus de force.`,
    'steps-for-strength': ({ strength, steps, max }) =>
      `Avec une force de ${strength}, ce modèle peut faire ${max} ${max === 1 ? 'étape' : 'étapes'} au plus, pas ${steps} ; prenez moins d’étapes ou plus de force.`,
    'image-not-finite': ({ model }) =>
      `Le modèle ${model} s’est perdu dans ses calculs sur cette image ; essayez une autre image ou un autre modèle.`,
    'needs-mask': () =>
      'Ce modèle ne peint qu’à l’intérieur d’un masque : donnez une image et un masque.',
    'no-vae-encoder': () =>
      'Ce modèle ne peut pas partir d’une image ; il lui manque l’encodeur du VAE.',
    'bad-clip-skip': ({ min, max }) => `Clip skip doit être un nombre entier de ${min} à ${max}.`,
    'model-unknown': ({ name, models }) =>
      `Il n’y a pas de modèle « ${name} » ici ; il y a ${models}.`,
    'model-unusable': ({ name }) => `Le modèle « ${name} » est endommagé ; prenez-en un autre.`,
    'queue-full': () => 'La file est pleine ; réessayez dans quelques minutes.',
    'views-busy': () => 'Des étapes sont encore en train d’être dessinées ; attendez-les d’abord.',
    'queue-user-limit': ({ limit }) =>
      `Vous avez déjà autant d’images en attente que permis${limit === undefined ? '' : ` (${limit})`} ; attendez-en une ou annulez-en une.`,
    'not-yours': () => 'Seuls le propriétaire de cette image et les modérateurs le peuvent.',
    'unknown-generation': () => 'Je ne connais plus cette image.',
    'original-gone': () => 'L’image d’où partent celles-ci n’est plus gardée.',
    'no-branches': () => 'Aucune de ces bifurcations n’a d’image à montrer.',
    'steps-gone': () => 'Les étapes de cette image ne sont plus gardées.',
    'one-step': () => 'Un changement a lieu entre deux étapes, et cette image n’en a qu’une.',
    'single-step': () =>
      'Cette image a été peinte en une seule étape ; il n’y en a aucune d’où bifurquer.',
    'step-range': ({ step, last }) =>
      `Cette image a ${last === 1 ? '1 étape' : `${last} étapes`} ; il n’y a pas d’étape ${step}.`,
    'nothing-painted': () => 'Vous n’avez encore rien peint ; commencez par /imagine.',
    'model-changed': () => 'Cette image vient d’un autre modèle ; on peut seulement la repeindre.',
    'not-running': () => 'Cette image est déjà terminée.',
    'shutting-down': () => 'Je redémarre ; réessayez dans un instant.',
    'engine-gone': () => 'Le moteur a planté à cette occasion ; réessayez dans un instant.',
    'engine-died': () => 'Le moteur a planté deux fois ; essayez une image plus petite.',
    'step-not-finite': ({ model, index, total }) =>
      `Le modèle ${model} s’est perdu dans ses calculs à l’étape ${index} sur ${total} ; essayez un autre prompt, scheduler ou modèle.`,
    'picture-not-finite': ({ model }) =>
      `Le modèle ${model} s’est perdu dans ses calculs ; essayez un autre prompt ou modèle.`,
    'picture-black': ({ model }) =>
      `Le modèle ${model} n’a donné que du noir ; essayez un autre prompt, scheduler ou modèle.`,
    'model-load-died': ({ name }) =>
      `Le modèle « ${name} » n’a pas pu être chargé : il lui faut peut-être plus de mémoire qu’il n’y en a.`,
    'accelerator-lost': () =>
      'La carte graphique a lâché deux fois ; essayez une image plus petite.',
    'picture-unsafe': () =>
      'Le filtre de sécurité du modèle a trouvé quelque chose dans cette image ; elle n’est pas montrée.',
    'steps-unsafe': () =>
      'Le filtre de sécurité du modèle a trouvé quelque chose dans cette image ; ses étapes ne sont pas montrées.',
    'out-of-memory': () =>
      'Cette image ne tient pas dans la mémoire de la machine ou de sa carte graphique ; choisissez une taille plus petite.',
    'not-finished': () => 'Cette image n’a pas d’étapes à montrer : elle n’a pas été terminée.',
    'size-format': ({ example }) =>
      `Une taille s’écrit largeur x hauteur en pixels, par exemple ${example}.`,
    'bad-size': ({ multiple, min, max, nearWidth, nearHeight }) =>
      `Pour ce modèle, largeur et hauteur doivent être des multiples de ${multiple}, de ${min} à ${max} pixels ; la taille la plus proche est ${nearWidth}x${nearHeight}.`,
    'bad-seed': ({ min, max }) => `La graine doit être un nombre entier de ${min} à ${max}.`,
    'bad-steps': ({ min, max }) => `Il faut de ${min} à ${max} étapes.`,
    'bad-guidance': ({ min, max }) => `Le guidage doit être un nombre de ${min} à ${max}.`,
    'prompt-too-long': ({ max }) => `Un prompt peut avoir au plus ${max} caractères.`,
    'scheduler-unknown': ({ names }) => `Ce scheduler n’existe pas ; il y a ${names}.`,
    'not-a-number': ({ field }) => `${field} doit être un nombre.`,
    'count-range': () => 'Le nombre doit être un entier de 1 à 4.',
    'frames-range': () => 'La planche contient de 4 à 64 images.',
    'prompt-too-long-to-edit': () =>
      'Ce prompt dépasse les 4000 caractères d’une fenêtre de saisie ; utilisez /imagine.',
  },
};

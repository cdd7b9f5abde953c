// Français.

import type { Texts } from './types.js';

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
    sheet: 'Planche',
    animation: 'Animation',
    changes: 'Changements',
    prediction: 'Montrer la prédiction',
    latents: 'Montrer le bruit',
    reading: 'Début en haut',
    condensing: 'Début en bas',
  },
  waiting: (ahead, wait) =>
    `${ahead === 0 ? 'Le prochain' : `Encore ${ahead} avant`}${wait === undefined ? '' : ` · commence dans ${wait} environ`}`,
  starting: 'Commence',
  step: (index, total) => `étape ${index} sur ${total}`,
  left: (duration) => `encore ${duration} environ`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
  seed: 'Graine',
  steps: (n) => (n === 1 ? '1 étape' : `${n} étapes`),
  guidance: 'guidage',
  without: 'Sans',
  stoppedAfter: (index, total) => `arrêté après l’étape ${index} sur ${total}`,
  branched: (step, seed) => `nouveau bruit après l’étape ${step}, graine \`${seed}\``,
  branchHere: (step) => `Bifurquer après l’étape ${step}`,
  cancelled: 'Annulé.',
  nothingToCancel: 'Rien à vous n’attend ni ne tourne.',
  cancelledCount: (n) => (n === 1 ? 'Une image annulée.' : `${n} images annulées.`),
  privateNotice:
    'Une image privée s’est terminée trop tard pour que Discord laisse changer la réponse privée. Son propriétaire la retrouve avec /steps.',
  dying:
    'Discord ne me laisse changer une réponse privée que pendant 15 minutes. Le bouton permet de continuer à la voir ici.',
  restarting: 'Je redémarre. Votre place est gardée, et cela continuera tout seul.',
  restartingAt: (step) =>
    step === 0
      ? 'Je redémarre. Cela recommencera tout seul.'
      : `Je redémarre. Cela continuera tout seul après l’étape ${step}.`,
  broke: (id) => `Quelque chose s’est cassé ici. Le journal du bot le note sous \`${id}\`.`,
  frames: (n) => `${n} images`,
  stepsTitle: 'Comment elle est née',
  changesTitle: 'Combien chaque étape a changé la prédiction',
  queueEmpty: 'Rien n’attend et rien ne tourne.',
  queueLine: (running, waiting) => `${running} en cours, ${waiting} en attente.`,
  queueOthers: 'Chacun son tour : qui demande beaucoup ne retarde pas qui demande peu.',
  yours: 'Les vôtres',
  runningNow: 'en cours',
  place: (n) => `place ${n}`,
  paints: (model, provider) => `${model} sur ${provider}`,
  ago: (duration) => `il y a ${duration}`,
  all: 'Toutes les miennes',
  private: 'privée',
  editTitle: 'Modifier et repeindre',
  editPrompt: 'Prompt',
  editNegative: 'Prompt négatif (à éviter)',
  errors: {
    'queue-full': () => 'La file est pleine ; réessayez dans quelques minutes.',
    'queue-user-limit': ({ limit }) =>
      `Vous avez déjà autant d’images en attente que permis${limit === undefined ? '' : ` (${limit})`} ; attendez-en une ou annulez-en une.`,
    'not-yours': () => 'Seuls le propriétaire de cette image et les modérateurs le peuvent.',
    'unknown-generation': () => 'Je ne connais plus cette image.',
    'steps-gone': () => 'Les étapes de cette image ne sont plus gardées.',
    'nothing-painted': () => 'Vous n’avez encore rien peint ; commencez par /imagine.',
    'model-changed': () => 'Cette image vient d’un autre modèle ; on peut seulement la repeindre.',
    'not-running': () => 'Cette image est déjà terminée.',
    'shutting-down': () => 'Je redémarre ; réessayez dans un instant.',
    'engine-died': () => 'Le moteur est tombé deux fois ; essayez une image plus petite.',
    'step-not-finite': ({ model, index, total }) =>
      `Le modèle ${model} s’est perdu dans ses calculs à l’étape ${index} sur ${total} ; essayez un autre prompt, scheduler ou modèle.`,
    'picture-not-finite': ({ model }) =>
      `Le modèle ${model} s’est perdu dans ses calculs ; essayez un autre prompt ou modèle.`,
    'picture-black': ({ model }) =>
      `Le modèle ${model} n’a donné que du noir ; essayez un autre prompt, scheduler ou modèle.`,
    'model-load-died': ({ name }) =>
      `Le modèle « ${name} » n’a pas pu être chargé : il lui faut peut-être plus de mémoire qu’il n’y en a.`,
    'out-of-memory': () =>
      'Cette image ne tient pas dans la mémoire de la machine ou de sa carte graphique ; choisissez une taille plus petite.',
    'not-finished': () => 'Cette image n’a pas d’étapes à montrer : elle n’a pas été terminée.',
    'size-format': ({ example }) =>
      `Une taille s’écrit largeur x hauteur en pixels, par exemple ${example}.`,
    'bad-size': ({ multiple, min, max, nearWidth, nearHeight }) =>
      `Pour ce modèle, largeur et hauteur doivent être des multiples de ${multiple}, de ${min} à ${max} pixels ; la taille la plus proche est ${nearWidth}x${nearHeight}.`,
    'bad-seed': ({ min, max }) => `La graine doit être un nombre entier de ${min} à ${max}.`,
    'bad-steps': ({ min, max }) => `Il faut de ${min} à ${max} étapes.`,
    'bad-guidance': ({ min, max }) => `Le guidage doit être un nombre de ${min} à ${max}.`,
    'prompt-too-long': ({ max }) => `Un prompt peut avoir au plus ${max} caractères.`,
    'scheduler-unknown': ({ names }) => `Ce scheduler n’existe pas ; il y a ${names}.`,
    'not-a-number': ({ field }) => `${field} doit être un nombre.`,
    'count-range': () => 'Le nombre doit être un entier de 1 à 4.',
    'frames-range': () => 'La planche contient de 4 à 64 images.',
    'prompt-too-long-to-edit': () =>
      'Ce prompt dépasse les 4000 caractères d’une fenêtre de saisie ; utilisez /imagine.',
  },
};

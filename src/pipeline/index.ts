// The pipeline's public surface: prompt to pixels.

export { denoise } from './denoise.js';
export { changes, drawEvolution } from './evolution.js';
export { altText } from './image/alt-text.js';
export { encodePng, encodePreview, encodeWithin, readInfotext } from './image/encode.js';
export { infotextOf, parseInfotext } from './image/infotext.js';
export { fromKept, toKept } from './kept.js';
export { type LoadOptions, loadModel, type Model } from './model.js';
export { checkParameters, LIMITS } from './parameters.js';
export { schedulerDisplayName } from './schedulers/index.js';
export * from './types.js';

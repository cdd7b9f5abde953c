// The pipeline's public surface: prompt to pixels.

export { denoise } from './denoise.js';
export { changes, evenly, evolution } from './evolution.js';
export { altText } from './image/alt-text.js';
export { encodePng, encodePreview, encodeWithin } from './image/encode.js';
export { formatInfotext, parseInfotext } from './image/infotext.js';
export { readText, withText } from './image/png.js';
export { keepStep, keptTensor } from './kept.js';
export { type LoadOptions, loadModel, type Model } from './model.js';
export { checkParameters, LIMITS } from './parameters.js';
export { schedulerDisplayName } from './schedulers/index.js';
export * from './types.js';

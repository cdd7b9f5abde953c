// The pipeline's public surface: prompt to pixels.

export { sideBySide } from './evolution/beside.js';
export { type Draw, evolution, type Turn } from './evolution.js';
export { allFinite } from './finite.js';
export { changedShare, pixelsOf } from './image/compare.js';
export { encodePng, encodePreview, encodeWithin } from './image/encode.js';
export {
  type InfotextExtras,
  infotextOf,
  parseInfotext,
  type ReadInfotext,
} from './image/infotext.js';
export { fromKept, keptTensor, toKept } from './kept.js';
export {
  type GenerateOptions,
  type LoadOptions,
  loadModel,
  type Model,
  type ModelTimings,
} from './model.js';
export { checkParameters, LIMITS } from './parameters.js';
export { plainPreviewer } from './preview.js';
export { AcceleratorLost, kindOf } from './providers.js';
export { schedulerDisplayName } from './schedulers/index.js';
export * from './types.js';

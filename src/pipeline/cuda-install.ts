// CUDA's and TensorRT's part of onnxruntime-node, which is downloaded apart: where it lies, and the
// command that brings it. Nothing in here loads onnxruntime.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The package's install script does not run by itself with `ignore-scripts`. With this flag it
 * downloads libonnxruntime_providers_{shared,cuda,tensorrt}.so (its script/install-metadata.js).
 */
export const CUDA_INSTALL =
  'node node_modules/onnxruntime-node/script/install --onnxruntime-node-install=cuda12';

/** Where onnxruntime-node keeps its native libraries, and looks for those of CUDA. */
export function libraryFolder(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  return join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
}

/** The library of a provider that is downloaded apart; it need not be there. */
export const libraryFile = (provider: string): string =>
  join(libraryFolder(), `libonnxruntime_providers_${provider}.so`);

// Loaded into an engine process by a test: the first processes that make their 12th UNet call of a
// run get a lost device from that call on. How many do is in the environment; how many did is told by
// files that exist since then.
import { existsSync, writeFileSync } from 'node:fs';
import { InferenceSession } from 'onnxruntime-node';

const marker = process.env.YLEM_TEST_LOSE_DEVICE;
const times = Number(process.env.YLEM_TEST_LOSE_TIMES ?? 1);
const { run } = InferenceSession.prototype;
let calls = 0;
let gone = false;
InferenceSession.prototype.run = function (feeds, ...rest) {
  if ('timestep' in feeds && feeds.sample.dims[2] === 24) calls++;
  // A run that goes on from a later step has fewer calls to make.
  const next = Array.from({ length: times }, (_, n) => marker + (n === 0 ? '' : n)).find(
    (path) => !existsSync(path),
  );
  if (calls === (next === marker ? 12 : 2) && next !== undefined && !gone) {
    writeFileSync(next, '');
    gone = true;
  }
  if (gone) return Promise.reject(new Error('WebGPU device lost (2): the driver was reset'));
  return run.call(this, feeds, ...rest);
};

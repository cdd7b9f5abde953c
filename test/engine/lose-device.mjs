// Loaded into an engine process by a test: the first process that makes its 12th UNet call of a run
// (told by a file that does not exist yet) gets a lost device from that call on.
import { existsSync, writeFileSync } from 'node:fs';
import { InferenceSession } from 'onnxruntime-node';

const marker = process.env.YLEM_TEST_LOSE_DEVICE;
const { run } = InferenceSession.prototype;
let calls = 0;
let gone = false;
InferenceSession.prototype.run = function (feeds, ...rest) {
  if ('timestep' in feeds && feeds.sample.dims[2] === 24) calls++;
  if (calls === 12 && !existsSync(marker)) {
    writeFileSync(marker, '');
    gone = true;
  }
  if (gone) return Promise.reject(new Error('WebGPU device lost (2): the driver was reset'));
  return run.call(this, feeds, ...rest);
};

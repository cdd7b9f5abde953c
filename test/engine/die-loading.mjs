// Loaded into an engine process by a test: the first processes that open the UNet of a model of some
// name are killed in the middle of that, as the system kills what takes too much memory.
import { existsSync, writeFileSync } from 'node:fs';
import { InferenceSession } from 'onnxruntime-node';

const marker = process.env.YLEM_TEST_DIE_MARKER;
const times = Number(process.env.YLEM_TEST_DIE_TIMES);
const path = `/${process.env.YLEM_TEST_DIE_MODEL}/unet/`;
const { create } = InferenceSession;
InferenceSession.create = function (...args) {
  const next = Array.from({ length: times }, (_, n) => marker + n).find(
    (file) => !existsSync(file),
  );
  if (String(args[0]).includes(path) && next !== undefined) {
    writeFileSync(next, '');
    process.kill(process.pid, 'SIGKILL');
  }
  return create.apply(this, args);
};

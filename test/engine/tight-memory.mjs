// Loaded into an engine process by a test: an accelerator with memory for one model alone, as its
// UNets tell. YLEM_TEST_TIGHT says when that shows: when a second one is loaded, or in a run.
import { InferenceSession } from 'onnxruntime-node';

const when = process.env.YLEM_TEST_TIGHT;
const { create } = InferenceSession;
const { run, release } = InferenceSession.prototype;
const full = () => Promise.reject(new Error('Failed to allocate memory for requested buffer'));
let unets = 0;
const isUnet = (session) => session.inputMetadata.some(({ name }) => name === 'timestep');

InferenceSession.create = async function (...args) {
  const session = await create.apply(this, args);
  if (isUnet(session)) unets++;
  if (unets > 1 && when === 'load') {
    await session.release();
    return full();
  }
  return session;
};
InferenceSession.prototype.release = function () {
  if (isUnet(this)) unets--;
  return release.call(this);
};
InferenceSession.prototype.run = function (feeds, ...rest) {
  const large = 'timestep' in feeds && feeds.sample.dims[2] === 24;
  return unets > 1 && when === 'run' && large ? full() : run.call(this, feeds, ...rest);
};

// Finds a Vulkan driver that WebGPU (Dawn, inside onnxruntime-node) runs on: the machine's own, or
// SwiftShader, the software one that Debian's chromium package brings together with a loader.
//
//     node test/gpu/vulkan.mjs     prints what was found; status 1, and why, where there is none
//
// Plain JavaScript, since .ci/run asks before anything is built.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GRAPH = fileURLToPath(
  new URL('../fixtures/models/tiny-sd/text_encoder/model.onnx', import.meta.url),
);
const CHROMIUM = [
  ...(process.env.YLEM_CHROMIUM ? [dirname(process.env.YLEM_CHROMIUM)] : []),
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
];
const ICD = 'vk_swiftshader_icd.json';

/** @returns {{ name: string, env: Record<string, string> } | { reason: string }} */
export function findVulkan() {
  const own = tryWith({});
  if (own === undefined) return { name: "the machine's own driver", env: {} };
  const folder = CHROMIUM.find((path) => existsSync(join(path, ICD)));
  if (folder === undefined) {
    return { reason: `WebGPU finds no driver (${own}), and there is no Chromium with SwiftShader` };
  }
  const env = { VK_ICD_FILENAMES: join(folder, ICD) };
  // Chromium's loader stands in where libvulkan1 is not installed.
  if (existsSync(join(folder, 'libvulkan.so.1'))) {
    env.LD_LIBRARY_PATH = [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':');
  }
  const reason = tryWith(env);
  return reason === undefined
    ? { name: `SwiftShader of ${folder}`, env }
    : { reason: `WebGPU does not run on the SwiftShader of ${folder} (${reason})` };
}

/** Makes a WebGPU session in a process of its own. @returns why it failed, if it did */
function tryWith(env) {
  const script = `
    import { InferenceSession, listSupportedBackends } from 'onnxruntime-node';
    if (!listSupportedBackends().some(({ name }) => name === 'webgpu')) {
      console.log('onnxruntime-node has no WebGPU on this platform');
      process.exit(3);
    }
    const options = { executionProviders: ['webgpu'], logSeverityLevel: 4 };
    await InferenceSession.create(${JSON.stringify(GRAPH)}, options).catch((error) => {
      console.log(error.message.split('\\n')[0].replace(/^.*was false\\. /, ''));
      process.exit(3);
    });`;
  const { status, stdout, signal, error } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { env: { ...process.env, ...env }, cwd: dirname(GRAPH), encoding: 'utf8', timeout: 60_000 },
  );
  if (status === 0) return undefined;
  return stdout.trim() || error?.message || `the process ended with ${signal ?? status}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findVulkan();
  console.log('reason' in found ? found.reason : `WebGPU runs on ${found.name}`);
  process.exitCode = 'reason' in found ? 1 : 0;
}

// Gives the workers of the GPU tests a Vulkan driver before they start: a library path cannot be
// changed afterwards. YLEM_TEST_NO_WEBGPU says why there is none.

import { findVulkan } from './vulkan.mjs';

export default function setup(): void {
  const found = findVulkan();
  if ('reason' in found) process.env.YLEM_TEST_NO_WEBGPU = found.reason;
  else Object.assign(process.env, found.env);
}

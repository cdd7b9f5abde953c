/** A driver, as the environment that a process needs to use it; or why there is none. */
export function findVulkan():
  | { readonly name: string; readonly env: Readonly<Record<string, string>> }
  | { readonly reason: string };

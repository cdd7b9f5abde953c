// Names of files as strangers give them (a hub, a graph): whether one leads out of the model's directory.

/** Windows takes these for devices, whatever ending they have. */
export const DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * Whether the path of a file, as a hub or a graph names it, stays inside the model's directory on
 * every platform: neither absolute nor with `..`, backslashes, drive letters or control characters.
 */
export function staysInside(path: string): boolean {
  const sound = path.split('/').every(
    (segment) =>
      segment !== '' &&
      segment !== '.' &&
      segment !== '..' &&
      Buffer.byteLength(segment) <= 255 &&
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are refused here
      !/[\\:\u0000-\u001f\u007f]|[. ]$/.test(segment) &&
      !DEVICES.test(segment),
  );
  return sound && path.length <= 1000;
}

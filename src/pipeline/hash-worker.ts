// The worker of hash.ts: the sha256 of the files named in its data, one after the other.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const hash = createHash('sha256');
for (const file of workerData as readonly string[]) {
  for await (const part of createReadStream(file, { highWaterMark: 4 << 20 }))
    hash.update(part as Buffer);
}
parentPort?.postMessage(hash.digest('hex'));

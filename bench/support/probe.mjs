// Loaded into the bot's process by a benchmark (--import): measures its event-loop delay and its
// memory. On SIGUSR2 it writes what it saw since the last time to the file YLEM_BENCH_PROBE.
import { rename, writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** ms between the monitor's timers; what it measures holds this much on top of the delay */
const RESOLUTION = 1;
const file = process.env.YLEM_BENCH_PROBE;

if (file) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  process.on('SIGUSR2', () => {
    const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION);
    const seen = {
      p50: ms(delay.percentile(50)),
      p99: ms(delay.percentile(99)),
      max: ms(delay.max),
      rss: process.memoryUsage().rss,
      heapUsed: process.memoryUsage().heapUsed,
    };
    delay.reset();
    void writeFile(`${file}.part`, JSON.stringify(seen)).then(() => rename(`${file}.part`, file));
  });
}

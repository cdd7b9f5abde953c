// Loaded into an engine process by a test: once that listens to the bot, it writes down which of the
// files that the environment names it can open.
import { readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';

const { files, told } = JSON.parse(process.env.YLEM_TEST_LOADERS);
const timer = setInterval(async () => {
  if (process.listenerCount('message') === 0) return;
  clearInterval(timer);
  const opened = [];
  for (const file of files) {
    const metadata = await sharp(readFileSync(file))
      .metadata()
      .catch(() => undefined);
    if (metadata !== undefined) opened.push(metadata.format);
  }
  writeFileSync(told, JSON.stringify(opened));
}, 5);

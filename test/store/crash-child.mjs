// A process that makes promises until it is killed. Prints each id when the store has acknowledged
// what belongs to it. Arguments: the compiled store, the data directory, a prefix for the ids.

const [, , modulePath, directory, prefix] = process.argv;
const { openStore } = await import(modulePath);
const store = await openStore(directory);

const reply = {
  applicationId: '1',
  interactionId: '2',
  interactionToken: 't',
  tokenExpiresAt: 1,
  channelId: '3',
  guildId: null,
  messageId: null,
  ephemeral: false,
  locale: 'en-US',
  attachmentLimit: 1000,
};
const parameters = {
  prompt: 'x',
  negativePrompt: '',
  seed: 1,
  steps: 4,
  guidanceScale: 1,
  width: 64,
  height: 64,
};

for (let number = 0; ; number++) {
  const id = `${prefix}${number}`;
  await store.create({
    id,
    userId: 'u',
    parameters,
    model: 'm',
    parentId: null,
    parentRelation: null,
    branchStep: null,
    branchSeed: null,
    reply,
    createdAt: number,
  });
  process.stdout.write(`created ${id}\n`);
  await store.start(id, number);
  const values = new Uint16Array(4 * 32 * 32).fill(number);
  for (let index = 1; index <= 2; index++) {
    const step = {
      index,
      total: 4,
      timestep: 1,
      dims: [4, 32, 32],
      latents: values,
      predictedOriginal: values,
    };
    await store.keepStep(id, step, new Uint8Array(20_000).fill(index));
  }
  process.stdout.write(`stepped ${id}\n`);
  if (number % 3 === 0) continue;
  const file = {
    bytes: new Uint8Array(50_000).fill(number),
    type: 'image/png',
    width: 64,
    height: 64,
  };
  await store.finish(id, { state: 'done', file, infotext: 'i', flagged: false }, number);
  process.stdout.write(`finished ${id}\n`);
}

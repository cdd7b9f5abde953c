// That a safety checker found something in a picture is known of those from before the store kept it,
// when the infotext alone said so.

import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { expect, test } from 'vitest';
import { type InfotextExtras, infotextOf } from '../../src/pipeline/image/infotext.js';
import { FILE_NAME } from '../../src/store/open.js';
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/schema.js';
import { freshDirectory, freshStore, PARAMETERS, REPLY } from './support.js';

/** The last version without the column. */
const BEFORE = 5;
const MODEL = { name: 'hydrogen', hash: '0123456789', defaultScheduler: 'DDIM' } as const;

test('a database from before says the same of its pictures', async () => {
  const text = (extras: InfotextExtras, prompt = PARAMETERS.prompt) =>
    infotextOf({ ...PARAMETERS, prompt }, MODEL, extras);
  const saysSo = 'Steps: 1, Safety checker: flagged, Version: Ylem';
  const pictures: readonly [id: string, infotext: string | null, flagged: boolean][] = [
    ['found', text({ flagged: true }), true],
    ['stopped', text({ flagged: true, stoppedAt: 3 }), true],
    ['branch', text({ flagged: true, branch: { fromStep: 2, seed: 7 } }), true],
    ['of-words', text({ flagged: true }, `${saysSo}\nfox`), true],
    ['clean', text({}), false],
    ['clean-words', text({}, saysSo), false],
    ['clean-lines', text({}, `fox\n${saysSo}\n`), false],
    ['unpainted', null, false],
  ];
  const directory = await freshDirectory();
  const database = new DatabaseSync(join(directory, FILE_NAME));
  database.exec(`PRAGMA auto_vacuum = INCREMENTAL; ${MIGRATIONS.slice(0, BEFORE).join(';\n')};
    PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${BEFORE}`);
  const { messageId: _, ...reply } = REPLY;
  const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`;
  const asked = `${quoted(JSON.stringify(PARAMETERS))}, 'hydrogen [0123456789]', ${quoted(JSON.stringify(reply))}`;
  // Not prepared: what is would hold the file until it is collected.
  for (const [id, infotext] of pictures)
    database.exec(`INSERT INTO generations
      (id, user_id, parameters, model, reply, created_at, step_total, infotext)
      VALUES ('${id}', 'u1', ${asked}, 1, 20, ${infotext === null ? 'NULL' : quoted(infotext)})`);
  database.close();

  const store = await freshStore(directory);
  for (const [id, infotext, flagged] of pictures)
    expect(await store.get(id), id).toMatchObject({ infotext, flagged });
});

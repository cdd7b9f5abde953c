// What the store does, in SQL. Runs in the worker thread, within the transaction of its batch.

import { createHash } from 'node:crypto';
import type { StatementSyncInstance } from '@photostructure/sqlite';
import { initGone } from './faults.js';
import {
  answerOf,
  answerRow,
  checkStep,
  fileOf,
  generationOf,
  NEW_COLUMNS,
  newRow,
  replyRow,
  stepOf,
} from './rows.js';
import type { Database } from './sqlite.js';
import type { NewGeneration, RetentionReport, Store } from './types.js';

export interface RetainedSome extends RetentionReport {
  /** true when there may be more to remove */
  readonly more: boolean;
}

/** The store's methods as the worker offers them; retention comes in small pieces. */
export interface RemoteMethods extends Omit<Store, 'close' | 'lost' | 'retain'> {
  /**
   * Removes up to `count` generations that were made before `before` (ms since the epoch), or that
   * are the oldest while all together have more than `keepBytes`.
   */
  retainSome(before: number, keepBytes: number, count: number, now: number): Promise<RetainedSome>;
}

/** The same methods where they are carried out: they return instead of resolving. */
export type Methods = {
  readonly [K in keyof RemoteMethods]: (
    ...args: Parameters<RemoteMethods[K]>
  ) => Awaited<ReturnType<RemoteMethods[K]>>;
};

const UNFINISHED = "state IN ('queued', 'running')";
const SELECT = `SELECT g.*, EXISTS (SELECT 1 FROM files f WHERE f.generation_id = g.id) AS has_file
  FROM generations g`;

/**
 * Changes to a generation that is not there (any more) do nothing, nor do those that come after its
 * end: a picture may be deleted while an engine paints it, and the first outcome stands.
 */
export function createMethods(database: Database): Methods {
  const statements = new Map<string, StatementSyncInstance>();
  const sql = (text: string): StatementSyncInstance => {
    let statement = statements.get(text);
    if (statement === undefined) {
      statement = database.prepare(text);
      statements.set(text, statement);
    }
    return statement;
  };
  const optional = <T>(row: unknown, of: (row: unknown) => T): T | undefined =>
    row === undefined || row === null ? undefined : of(row);

  /** Keeps a picture where it is not kept yet. Gives its hash. */
  const keep = (bytes: Uint8Array): string => {
    const hash = createHash('sha256').update(bytes).digest('hex');
    sql('INSERT OR IGNORE INTO pictures VALUES (?, ?)').run(hash, bytes);
    return hash;
  };
  const initOf = (
    init: NewGeneration['init'],
  ): { readonly image: string | null; readonly mask: string | null } => {
    if (init === undefined) return { image: null, mask: null };
    if ('image' in init) {
      return { image: keep(init.image), mask: init.mask === undefined ? null : keep(init.mask) };
    }
    const row = sql('SELECT init_image AS image, init_mask AS mask FROM generations WHERE id = ?');
    const found = row.get(init.from) as { image: string | null; mask: string | null } | undefined;
    if (found === undefined || found.image === null) throw initGone();
    return found;
  };

  return {
    create(generation) {
      const values = newRow(generation);
      const marks = values.map(() => '?').join(', ');
      const { image, mask } = initOf(generation.init);
      const columns = `${NEW_COLUMNS}, init_image, init_mask`;
      sql(`INSERT INTO generations (${columns}) VALUES (${marks}, ?, ?)`).run(
        ...values,
        image,
        mask,
      );
      sql('DELETE FROM open_answers WHERE interaction_id = ?').run(generation.reply.interactionId);
    },

    init(id) {
      const row = sql(
        `SELECT image.bytes AS image, mask.bytes AS mask FROM generations g
         JOIN pictures image ON image.hash = g.init_image
         LEFT JOIN pictures mask ON mask.hash = g.init_mask WHERE g.id = ?`,
      ).get(id) as { image: Uint8Array; mask: Uint8Array | null } | undefined;
      if (row === undefined) return undefined;
      return row.mask === null ? { image: row.image } : { image: row.image, mask: row.mask };
    },

    get(id) {
      return optional(sql(`${SELECT} WHERE g.id = ?`).get(id), generationOf);
    },

    byMessage(messageId) {
      const newest = 'ORDER BY g.created_at DESC, g.rowid DESC LIMIT 1';
      return optional(
        sql(`${SELECT} WHERE g.message_id = ? ${newest}`).get(messageId),
        generationOf,
      );
    },

    latest(userId, limit, withImage = false) {
      const image = withImage
        ? 'AND EXISTS (SELECT 1 FROM files f WHERE f.generation_id = g.id)'
        : '';
      const newest = 'ORDER BY g.created_at DESC, g.rowid DESC LIMIT ?';
      return sql(`${SELECT} WHERE g.user_id = ? ${image} ${newest}`)
        .all(userId, limit)
        .map(generationOf);
    },

    chances(parentId, branchSeed) {
      const which = "g.parent_id = ? AND g.branch_seed = ? AND g.parent_relation = 'chance'";
      return sql(`${SELECT} WHERE ${which} ORDER BY g.branch_step, g.rowid`)
        .all(parentId, branchSeed)
        .map(generationOf);
    },

    unfinished() {
      const oldest = 'ORDER BY g.created_at, g.rowid';
      return sql(`${SELECT} WHERE ${UNFINISHED} OR delivered = 0 ${oldest}`)
        .all()
        .map(generationOf);
    },

    setMessage(id, messageId) {
      sql('UPDATE generations SET message_id = ? WHERE id = ?').run(messageId, id);
    },

    setReply(id, reply) {
      // A message that is known stays known.
      sql(
        'UPDATE generations SET reply = ?, message_id = coalesce(?, message_id) WHERE id = ?',
      ).run(...replyRow(reply), id);
    },

    start(id, startedAt) {
      sql(
        `UPDATE generations SET state = 'running', started_at = ? WHERE id = ? AND ${UNFINISHED}`,
      ).run(startedAt, id);
    },

    keepStep(id, step, checkpoint) {
      checkStep(step);
      const { changes } = sql(
        `UPDATE generations SET step_index = ?, step_total = ? WHERE id = ? AND ${UNFINISHED}`,
      ).run(step.index, step.total, id);
      if (changes === 0) return;
      // A run that was resumed from an earlier step overtakes what was kept after it.
      sql('DELETE FROM steps WHERE generation_id = ? AND step >= ?').run(id, step.index);
      sql('INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?)').run(
        id,
        step.index,
        step.total,
        step.timestep,
        JSON.stringify(step.dims),
        step.latents,
        step.predictedOriginal,
      );
      if (checkpoint === undefined) return;
      sql('INSERT OR REPLACE INTO checkpoints VALUES (?, ?)').run(id, checkpoint);
    },

    checkpoint(id) {
      const row = sql('SELECT bytes FROM checkpoints WHERE generation_id = ?').get(id);
      return optional(row, (found) => (found as { bytes: Uint8Array }).bytes);
    },

    finish(id, outcome, endedAt) {
      const { changes } = sql(
        `UPDATE generations SET state = ?, ended_at = ?, failure = ?, infotext = ?, flagged = ?,
           changed = ?
         WHERE id = ? AND ${UNFINISHED}`,
      ).run(
        outcome.state,
        endedAt,
        'failure' in outcome ? outcome.failure : null,
        'infotext' in outcome ? outcome.infotext : null,
        'infotext' in outcome && outcome.flagged ? 1 : 0,
        'infotext' in outcome ? (outcome.changed ?? null) : null,
        id,
      );
      if (changes === 0) return;
      sql('DELETE FROM checkpoints WHERE generation_id = ?').run(id);
      if ('file' in outcome) {
        const { type, width, height, bytes } = outcome.file;
        sql('INSERT INTO files VALUES (?, ?, ?, ?, ?)').run(id, type, width, height, bytes);
      }
      sql(
        `UPDATE generations SET bytes =
           (SELECT coalesce(sum(length(latents) + length(predicted_original)), 0)
            FROM steps WHERE generation_id = generations.id)
           + (SELECT coalesce(sum(length(bytes)), 0) FROM files WHERE generation_id = generations.id)
         WHERE id = ?`,
      ).run(id);
    },

    deliveryStarted(id, at) {
      sql('UPDATE generations SET delivery_started_at = ? WHERE id = ?').run(at, id);
    },

    delivered(id, messageId) {
      sql(
        'UPDATE generations SET delivered = 1, message_id = coalesce(?, message_id) WHERE id = ?',
      ).run(messageId, id);
    },

    steps(id, last = Number.MAX_SAFE_INTEGER) {
      return sql('SELECT * FROM steps WHERE generation_id = ? AND step <= ? ORDER BY step')
        .all(id, last)
        .map(stepOf);
    },

    step(id, index) {
      return optional(
        sql('SELECT * FROM steps WHERE generation_id = ? AND step = ?').get(id, index),
        stepOf,
      );
    },

    file(id) {
      return optional(
        sql('SELECT type, width, height, bytes FROM files WHERE generation_id = ?').get(id),
        fileOf,
      );
    },

    remove(id) {
      sql('DELETE FROM generations WHERE id = ?').run(id);
    },

    openAnswer(answer) {
      sql('INSERT OR REPLACE INTO open_answers VALUES (?, ?)').run(
        answer.interactionId,
        answerRow(answer),
      );
    },

    closeAnswer(interactionId) {
      sql('DELETE FROM open_answers WHERE interaction_id = ?').run(interactionId);
    },

    openAnswers() {
      return sql('SELECT answer FROM open_answers ORDER BY rowid').all().map(answerOf);
    },

    setting(key) {
      const row = sql('SELECT value FROM settings WHERE key = ?').get(key);
      return optional(row, (found) => (found as { value: string }).value);
    },

    setSetting(key, value, expiresAt) {
      sql('INSERT OR REPLACE INTO settings VALUES (?, ?, ?)').run(key, value, expiresAt ?? null);
    },

    retainSome(before, keepBytes, count, now) {
      sql('DELETE FROM settings WHERE expires_at <= ?').run(now);
      // What an unfinished branch goes on from is kept as long as that is unfinished: its parent, and
      // where that is a branch what it has its own first steps from.
      const oldest = sql(
        `SELECT id, bytes, created_at, init_image FROM generations
         WHERE NOT (${UNFINISHED}) AND delivered = 1 AND id NOT IN (
           WITH RECURSIVE needed (id) AS (
             SELECT parent_id FROM generations WHERE ${UNFINISHED} AND parent_id IS NOT NULL
             UNION SELECT g.parent_id FROM generations g JOIN needed ON needed.id = g.id
               WHERE g.branch_step IS NOT NULL AND g.parent_id IS NOT NULL)
           SELECT id FROM needed)
         ORDER BY created_at, rowid LIMIT ?`,
      ).all(count) as {
        id: string;
        bytes: number;
        created_at: number;
        init_image: string | null;
      }[];
      const size = () => {
        const row = sql(
          `SELECT (SELECT coalesce(sum(bytes), 0) FROM generations)
             + (SELECT coalesce(sum(length(bytes)), 0) FROM pictures) AS bytes`,
        ).get();
        return (row as { bytes: number }).bytes;
      };
      const all = size();
      let left = all;
      let generations = 0;
      for (const each of oldest) {
        if (each.created_at >= before && left <= keepBytes) break;
        sql('DELETE FROM generations WHERE id = ?').run(each.id);
        // An init image goes with the last of those that began from it.
        left = each.init_image === null ? left - each.bytes : size();
        generations++;
      }
      return { generations, bytes: all - left, more: generations === count };
    },
  };
}

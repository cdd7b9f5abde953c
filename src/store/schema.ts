// The database's tables, and how an older database becomes the current one.

/** 'Ylem' in ASCII: marks the file as the bot's (PRAGMA application_id). */
export const APPLICATION_ID = 0x596c656d;

/**
 * Migration k takes a database of version k to version k + 1 (PRAGMA user_version). What has been
 * published is never changed: a new version is a new entry.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE generations (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    parameters TEXT NOT NULL,
    model TEXT NOT NULL,
    parent_id TEXT,
    parent_relation TEXT,
    branch_step INTEGER,
    branch_seed INTEGER,
    reply TEXT NOT NULL,
    message_id TEXT,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    started_at INTEGER,
    ended_at INTEGER,
    step_index INTEGER NOT NULL DEFAULT 0,
    step_total INTEGER NOT NULL,
    failure TEXT,
    infotext TEXT,
    delivered INTEGER NOT NULL DEFAULT 0,
    delivery_started_at INTEGER,
    -- of its steps and its file, known when it has ended
    bytes INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX generations_by_user ON generations (user_id, created_at);
  CREATE INDEX generations_by_age ON generations (created_at);
  CREATE INDEX generations_by_message ON generations (message_id) WHERE message_id IS NOT NULL;
  CREATE INDEX generations_unfinished ON generations (created_at)
    WHERE state IN ('queued', 'running') OR delivered = 0;

  CREATE TABLE steps (
    generation_id TEXT NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    total INTEGER NOT NULL,
    timestep REAL NOT NULL,
    dims TEXT NOT NULL,
    -- fp16, little endian
    latents BLOB NOT NULL,
    predicted_original BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX steps_of_generation ON steps (generation_id, step);

  CREATE TABLE checkpoints (
    generation_id TEXT PRIMARY KEY REFERENCES generations (id) ON DELETE CASCADE,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE files (
    generation_id TEXT PRIMARY KEY REFERENCES generations (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;
  `,
  // Init images and masks: each kept once, however many generations begin from it.
  `
  CREATE TABLE pictures (
    -- sha256, hexadecimal
    hash TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;
  ALTER TABLE generations ADD COLUMN init_image TEXT REFERENCES pictures (hash);
  ALTER TABLE generations ADD COLUMN init_mask TEXT REFERENCES pictures (hash);
  CREATE INDEX generations_by_init_image ON generations (init_image) WHERE init_image IS NOT NULL;
  CREATE INDEX generations_by_init_mask ON generations (init_mask) WHERE init_mask IS NOT NULL;
  CREATE TRIGGER pictures_unused AFTER DELETE ON generations WHEN old.init_image IS NOT NULL
  BEGIN
    DELETE FROM pictures WHERE hash IN (old.init_image, old.init_mask)
      AND NOT EXISTS (SELECT 1 FROM generations WHERE init_image = pictures.hash)
      AND NOT EXISTS (SELECT 1 FROM generations WHERE init_mask = pictures.hash);
  END;
  `,
  // Interactions that were acknowledged and not answered yet: those that a crash leaves are told.
  `
  CREATE TABLE open_answers (
    interaction_id TEXT PRIMARY KEY,
    answer TEXT NOT NULL
  ) STRICT;
  `,
  // Of branches: the share of pixels that look different from the picture they branched from.
  'ALTER TABLE generations ADD COLUMN changed REAL',
  // What is kept for a while only, as of a person: ms since the epoch.
  'ALTER TABLE settings ADD COLUMN expires_at INTEGER',
  // Those that were asked for together are found by where they come from.
  `CREATE INDEX generations_by_branch ON generations (parent_id, branch_seed)
    WHERE branch_seed IS NOT NULL`,
  // Whether the safety checker found something in it. Until now the end of the infotext said so.
  `
  ALTER TABLE generations ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0;
  UPDATE generations SET flagged = 1
    WHERE infotext GLOB '*, Safety checker: flagged, Version: Ylem';
  `,
];

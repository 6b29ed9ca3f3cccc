/**
 * The schema of the embedded store, as a list of migrations. `PRAGMA user_version` is the number of applied ones. A
 * released migration is never edited. A change is a new migration.
 */
import type { DatabaseSync } from 'node:sqlite'
import { IngotError } from '../../../errors/error.ts'
import { COLLECTION_COLUMNS, collectionChecksum, rawCollection } from './collections.ts'

/** A migration's statements, and the work after them in the same transaction. */
type Step = string | { readonly sql: string; readonly afterwards: (db: DatabaseSync) => void }

/**
 * An item's place is `collection << 33 | n`. Items of a collection are adjacent in order of creation, so a page is a
 * range scan and needs no other index. 2^20 collections of 2^33 items fit the 2^53 of a double.
 */
const MIGRATIONS: readonly Step[] = [
  `
  CREATE TABLE collections (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    policy TEXT NOT NULL,
    -- the highest place ever given out, so that a cursor never passes by an item that took a deleted one's place
    last_place INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE items (
    place INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collections (id),
    id BLOB NOT NULL,
    media TEXT,
    first_seen_ms INTEGER NOT NULL,
    content BLOB NOT NULL
  ) STRICT;

  -- the only judge of what is a duplicate
  CREATE UNIQUE INDEX items_once ON items (collection, id);

  CREATE TABLE receipts (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX receipts_by_expiry ON receipts (expires_ms);
  `,
  `
  -- deletions that removed something
  ALTER TABLE collections ADD COLUMN deletes INTEGER NOT NULL DEFAULT 0;
  `,
  {
    // touches no row of items, whose number is unlimited: fill.ts adds their checksums later
    sql: `
  ALTER TABLE items ADD COLUMN checksum INTEGER;
  ALTER TABLE receipts ADD COLUMN checksum INTEGER;
  ALTER TABLE collections ADD COLUMN checksum INTEGER;
  ALTER TABLE collections ADD COLUMN checked_from INTEGER NOT NULL DEFAULT 0;
  UPDATE collections SET last_place = max(last_place, id << 33);
  UPDATE collections SET checked_from = last_place;
  CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  `,
    afterwards: addCollectionChecksums,
  },
  `
  -- deletions of collections; see deletions.ts
  CREATE TABLE deletions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    -- the number of the collection whose items are removed
    collection INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    deleted INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX deletions_open ON deletions (id) WHERE ended_ms IS NULL;
  `,
]

function addCollectionChecksums(db: DatabaseSync): void {
  const rows = db.prepare(`SELECT ${COLLECTION_COLUMNS} FROM collections`).all()
  const update = db.prepare('UPDATE collections SET checksum = ? WHERE id = ?')
  for (const row of rows.map(rawCollection)) update.run(collectionChecksum(row), row.id)
}

/** "ingt": marks the file as ingot's, so that another program's database is never migrated. */
const APPLICATION_ID = 0x696e6774

/** Brings a database to the newest schema, each migration in its own transaction. */
export function migrate(db: DatabaseSync): void {
  const version = pragma(db, 'user_version')
  if (version === 0 && pragma(db, 'application_id') === 0 && countTables(db) === 0) {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  }
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new IngotError('STORE_CORRUPT', 'the database file was not made by ingot; name another data folder')
  }
  if (version > MIGRATIONS.length) {
    throw new IngotError(
      'STORE_CORRUPT',
      `the data has schema ${version}, this version knows up to ${MIGRATIONS.length}; use a newer ingot`,
    )
  }
  for (const [index, step] of MIGRATIONS.entries()) {
    if (index < version) continue
    const { sql, afterwards = () => {} } = typeof step === 'string' ? { sql: step } : step
    db.exec(`BEGIN IMMEDIATE; ${sql}`)
    afterwards(db)
    db.exec(`PRAGMA user_version = ${index + 1}; COMMIT`)
  }
}

/** Reads the identity and schema version of a file, without changing it. */
export function schemaOf(db: DatabaseSync): { readonly ours: boolean; readonly version: number } {
  return { ours: pragma(db, 'application_id') === APPLICATION_ID, version: pragma(db, 'user_version') }
}

/** The schema version that this version writes. */
export const NEWEST_SCHEMA: number = MIGRATIONS.length

function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0)
}

function countTables(db: DatabaseSync): number {
  return Number(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] ?? 0)
}

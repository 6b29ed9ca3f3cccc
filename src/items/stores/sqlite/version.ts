/**
 * The version of the embedded store (see store-version.ts). Every opening begins an epoch, because a restored copy
 * includes everything that was written beside the data, and the file can be exchanged only while no process has it
 * open. The position counts the changes since the opening. It falls if disk and memory of the machine are set back
 * together.
 */
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { StoreVersion } from '../../store-version.ts'

export interface StoreVersions {
  version(collection: string): StoreVersion
  beginEpoch(): string
}

/** `db` is the connection that makes the changes. */
export function createVersion(db: DatabaseSync): StoreVersions {
  const deletions = db.prepare('SELECT deletes FROM collections WHERE name = ?')
  const changes = db.prepare('SELECT total_changes() AS n')
  let epoch: string = randomUUID()
  return {
    version(collection) {
      const deletes = Number(deletions.get(collection)?.['deletes'] ?? 0)
      return { epoch, position: BigInt(Number(changes.get()?.['n'] ?? 0)), deletes }
    },
    beginEpoch: () => (epoch = randomUUID()),
  }
}

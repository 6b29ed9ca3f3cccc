/**
 * What the embedded store says of its past (see store-version.ts). Every opening begins an epoch. Nothing less would do: a
 * copy that is put back brings along whatever was written beside the data, and the file can only be exchanged while
 * nobody has it open. The position counts the changes of this opening: should machine and memory be set back together,
 * it falls.
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

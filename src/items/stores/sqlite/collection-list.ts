/** Lists collections with the number of their items, from one sample of ids for each kind (estimate.ts). */
import type { DatabaseSync } from 'node:sqlite'
import { policyText } from '../../../identity/policy.ts'
import { estimateItems, type IdSample, KEY_RANGES, type KeyRange, SAMPLE_IDS } from '../../estimate.ts'
import { COLLECTION_COLUMNS, type CollectionRow, collectionOfRow, policyOf } from './collections.ts'
import { detachedName } from './deletions.ts'
import type { PackedCollection } from './protocol.ts'

/** Returns at most `limit` collections after the name `after`. Call it in a transaction. */
export type CollectionList = (after: string, limit: number) => readonly PackedCollection[]

export function createCollectionList(db: DatabaseSync): CollectionList {
  const named = db.prepare(
    `SELECT ${COLLECTION_COLUMNS} FROM collections
    WHERE name > ? AND name NOT LIKE '${detachedName('%')}' ORDER BY name LIMIT ?`,
  )
  const smallest = db.prepare(
    `SELECT id FROM items WHERE collection = ? AND id >= ? AND id < ? ORDER BY id LIMIT ${SAMPLE_IDS}`,
  )

  function sample(from: CollectionRow, range: KeyRange): IdSample {
    const ids = smallest.all(from.id, range.from, range.to)
    const last = ids.at(-1)?.['id']
    return { count: ids.length, last: last instanceof Uint8Array ? last : undefined }
  }

  function describe(row: CollectionRow): PackedCollection {
    const estimatedItems = estimateItems(KEY_RANGES.map((range) => sample(row, range)))
    return { name: row.name, policy: policyText(policyOf(row)), estimatedItems }
  }

  return (after, limit) => named.all(after, limit).map((row) => describe(collectionOfRow(row)))
}

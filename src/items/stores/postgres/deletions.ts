/** Deletions of collections (see collection-deletion.ts and the migration 0004). */

import type { Rows } from '../../../postgres/pool.ts'
import {
  type CollectionDeletion,
  type CollectionRemover,
  type DeleteCollectionOutcome,
  ENDED_DELETIONS,
  MAX_OPEN_DELETIONS,
  PURGE_BYTES,
  PURGE_ITEMS,
} from '../../collection-deletion.ts'
import { number, onlyRow, optionalNumber, type Row, text } from './rows.ts'

const REMOVE = 'SELECT * FROM ingot_remove_1($1, $2, $3)'
const FIND = 'SELECT id, name, started_ms, ended_ms, deleted FROM ingot_deletions WHERE id = $1 AND name = $2'
const PURGE = 'SELECT * FROM ingot_purge_1($1, $2, $3, $4, $5)'

/** The items of a step after failures. A busy server may not remove PURGE_ITEMS within the timeout of a statement. */
const MIN_PURGE_ITEMS = 10

/** The ids that Postgres could have assigned. */
const ID = /^[1-9]\d{0,17}$/

export function createDeletions(query: (text: string, values: readonly unknown[]) => Promise<Rows>): CollectionRemover {
  let limit = PURGE_ITEMS

  async function purge(nowMs: number, after: string): Promise<Row> {
    try {
      const row = onlyRow(await query(PURGE, [nowMs, after, limit, PURGE_BYTES, ENDED_DELETIONS]))
      limit = Math.min(PURGE_ITEMS, limit * 2)
      return row
    } catch (failure) {
      limit = Math.max(MIN_PURGE_ITEMS, Math.floor(limit / 2))
      throw failure
    }
  }

  return {
    async deleteCollection(collection, nowMs) {
      return outcomeOf(onlyRow(await query(REMOVE, [collection, nowMs, MAX_OPEN_DELETIONS])))
    },
    async deletion(collection, id) {
      if (!ID.test(id)) return undefined
      const [row] = (await query(FIND, [id, collection])).rows
      return row && deletionOf(row)
    },
    async purge(nowMs, after = '0') {
      const row = await purge(nowMs, after)
      const step = { removed: number(row, 'removed'), open: number(row, 'still_open') }
      return row['deletion'] === null ? step : { ...step, deletion: text(row, 'deletion') }
    },
  }
}

function outcomeOf(row: Row): DeleteCollectionOutcome {
  const kind = text(row, 'outcome')
  if (kind === 'started' || kind === 'joined') return { kind, deletion: deletionOf(row) }
  return { kind: kind === 'empty' || kind === 'unknown' ? kind : 'busy' }
}

function deletionOf(row: Row): CollectionDeletion {
  const endedMs = optionalNumber(row, 'ended_ms')
  return {
    id: text(row, 'id'),
    collection: text(row, 'name'),
    startedMs: number(row, 'started_ms'),
    ...(endedMs === null ? {} : { endedMs }),
    deletedItems: number(row, 'deleted'),
  }
}

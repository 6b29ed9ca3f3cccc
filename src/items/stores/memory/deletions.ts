/** The deletions of the in-memory store, with the items that their purges have not removed yet. */
import {
  type CollectionDeletion,
  type DeleteCollectionOutcome,
  ENDED_DELETIONS,
  MAX_OPEN_DELETIONS,
  nextInCycle,
  PURGE_ITEMS,
  type PurgeStep,
} from '../../collection-deletion.ts'
import type { ItemId } from '../../item.ts'

/** What is to be deleted: all `items` of the collection. */
interface Cut<Kept> {
  readonly collection: string
  readonly items: Map<ItemId, Kept>
  readonly nowMs: number
}

interface Entry<Kept> {
  readonly items: Map<ItemId, Kept>
  record: CollectionDeletion
}

export function createDeletions<Kept>() {
  /** In ascending order of their numbers. */
  const entries = new Map<number, Entry<Kept>>()
  let last = 0

  const open = (): readonly number[] =>
    Array.from(entries)
      .filter(([, { record }]) => record.endedMs === undefined)
      .map(([id]) => id)

  function forgetOldest(): void {
    const ended = Array.from(entries.keys()).filter((id) => entries.get(id)?.record.endedMs !== undefined)
    for (const id of ended.slice(0, Math.max(0, ended.length - ENDED_DELETIONS))) entries.delete(id)
  }

  return {
    /** Returns the outcome for a collection without items. */
    join(collection: string): DeleteCollectionOutcome {
      const id = open().findLast((one) => entries.get(one)?.record.collection === collection)
      const entry = id === undefined ? undefined : entries.get(id)
      return entry === undefined ? { kind: 'empty' } : { kind: 'joined', deletion: entry.record }
    },
    start({ collection, items, nowMs }: Cut<Kept>): Extract<DeleteCollectionOutcome, { kind: 'started' | 'busy' }> {
      if (open().length >= MAX_OPEN_DELETIONS) return { kind: 'busy' }
      const record = { id: String(++last), collection, startedMs: nowMs, deletedItems: 0 }
      entries.set(last, { items, record })
      return { kind: 'started', deletion: record }
    },
    find(collection: string, id: string): CollectionDeletion | undefined {
      const record = entries.get(Number(id))?.record
      return record?.collection === collection && record.id === id ? record : undefined
    },
    purge(nowMs: number, after?: string): PurgeStep {
      const id = nextInCycle(open(), Number(after ?? 0))
      const entry = id === undefined ? undefined : entries.get(id)
      if (entry === undefined) return { removed: 0, open: 0 }
      const removed = Array.from(entry.items.keys()).slice(0, PURGE_ITEMS)
      for (const item of removed) entry.items.delete(item)
      const deletedItems = entry.record.deletedItems + removed.length
      const ended = entry.items.size === 0 ? { endedMs: nowMs } : {}
      entry.record = { ...entry.record, deletedItems, ...ended }
      forgetOldest()
      return { deletion: entry.record.id, removed: removed.length, open: open().length }
    },
  }
}

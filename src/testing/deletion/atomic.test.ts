import { expect, test } from 'vitest'
import type { ItemStore } from '../../items/store.ts'
import { createMemoryStore } from '../../items/stores/memory/store.ts'
import { overStore } from '../app.ts'
import { type Operation, type Save, unexplained } from './atomic.ts'
import { runDeletionLoad } from './load.ts'

const save = (from: number, to: number, outcome: Save['outcome'], since = from): Save => ({
  kind: 'save',
  content: 'x',
  from,
  to,
  outcome,
  since,
})
const deletion = (from: number, to: number): Operation => ({ kind: 'deletion', from, to })

test.each<[string, readonly Operation[], number | undefined]>([
  ['a save', [save(1, 2, 'created')], 1],
  ['a duplicate', [save(1, 2, 'created'), save(3, 4, 'duplicate', 1)], 1],
  ['a deletion', [save(1, 2, 'created'), deletion(3, 4)], undefined],
  ['a save after it', [save(1, 2, 'created'), deletion(3, 4), save(5, 6, 'created')], 5],
  [
    'a duplicate before a concurrent deletion',
    [save(1, 2, 'created'), deletion(3, 6), save(4, 5, 'duplicate', 1)],
    undefined,
  ],
  ['a save after a concurrent deletion', [save(1, 2, 'created'), deletion(3, 6), save(4, 5, 'created')], 4],
])('explains %s', (_what, history, final) => {
  expect(unexplained(history, new Map(final === undefined ? [] : [['x', final]]))).toEqual([])
})

test.each<[string, readonly Operation[], number | undefined]>([
  ['a lost item', [save(1, 2, 'created')], undefined],
  ['an item that survives', [save(1, 2, 'created'), deletion(3, 4)], 1],
  ['a second creation', [save(1, 2, 'created'), save(3, 4, 'created')], 3],
  ['a duplicate of a deleted item', [save(1, 2, 'created'), deletion(3, 4), save(5, 6, 'duplicate', 1)], undefined],
  ['a later save that is lost', [save(1, 2, 'created'), deletion(3, 4), save(5, 6, 'created')], undefined],
  [
    'a duplicate of an item whose deletion another save has seen',
    [save(1, 2, 'created'), deletion(3, 9), save(4, 5, 'created'), save(6, 7, 'duplicate', 1)],
    undefined,
  ],
  ['an item without a save', [deletion(1, 2)], 7],
])('does not explain %s', (_what, history, final) => {
  expect(unexplained(history, new Map(final === undefined ? [] : [['x', final]]))).toEqual(['x'])
})

const SIZES = { deletions: 8, clients: 6, saves: 60, contents: 60, random: Math.random }

/** A store that answers other calls between the steps of one, like a server. */
function concurrent(changes: (inner: ItemStore) => Partial<ItemStore> = () => ({})): ItemStore {
  const inner = createMemoryStore()
  const turn = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, Math.random() * 3))
  return overStore(inner, {
    async put(units, nowMs) {
      await turn()
      const outcomes = await inner.put(units, nowMs)
      await turn()
      return outcomes
    },
    ...changes(inner),
  })
}

test('the memory store deletes a collection at one moment', async () => {
  const { history, final } = await runDeletionLoad({ stores: [concurrent()], ...SIZES })
  expect(history.filter(({ kind }) => kind === 'deletion').length).toBeGreaterThan(0)
  expect(unexplained(history, final)).toEqual([])
})

test('is detected: a store that deletes item by item, and responds before it has reached all', async () => {
  const store = concurrent((inner) => ({
    async deleteCollection(collection, nowMs) {
      const { items } = await inner.list(collection, { limit: 1_000 })
      void (async () => {
        for (const { id } of items) {
          await new Promise((resolve) => void setTimeout(resolve, 1))
          await inner.delete(collection, id)
        }
      })()
      return { kind: 'started', deletion: { id: '1', collection, startedMs: nowMs, deletedItems: 0 } }
    },
  }))
  const { history, final } = await runDeletionLoad({ stores: [store], ...SIZES })
  expect(unexplained(history, final)).not.toEqual([])
})

test('is detected: a store that keeps some of the items', async () => {
  const store = concurrent((inner) => ({
    async deleteCollection(collection, nowMs) {
      const { items } = await inner.list(collection, { limit: 10 })
      for (const { id } of items) await inner.delete(collection, id)
      return { kind: 'started', deletion: { id: '1', collection, startedMs: nowMs, deletedItems: 0 } }
    },
  }))
  const { history, final } = await runDeletionLoad({ stores: [store], ...SIZES })
  expect(unexplained(history, final)).not.toEqual([])
})

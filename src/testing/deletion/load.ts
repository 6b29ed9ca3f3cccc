/** Saves and deletions that race on one collection, and their history for atomic.ts. */
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import type { CollectionRemover } from '../../items/collection-deletion.ts'
import { item } from '../../items/contract.ts'
import type { StoreReader, StoreWriter } from '../../items/store.ts'
import type { FinalItems, Operation, Save } from './atomic.ts'

type Store = Pick<StoreWriter, 'put'> & Pick<StoreReader, 'list'> & CollectionRemover

export interface LoadOptions {
  /** Replicas of one store. Clients use them in turn. */
  readonly stores: readonly [Store, ...Store[]]
  readonly deletions: number
  /** Number of clients that save, and of the saves of each. */
  readonly clients: number
  readonly saves: number
  /** Number of different contents. */
  readonly contents: number
  /** Returns a number from 0 to 1. */
  readonly random: () => number
}

const COLLECTION = { name: 'things', policy: DEFAULT_POLICY }

export interface Load {
  readonly history: readonly Operation[]
  readonly final: FinalItems
}

/** Runs the load, with a purge beside it. Resolves when no deletion is open. */
export async function runDeletionLoad(options: LoadOptions): Promise<Load> {
  const { stores, deletions, clients, saves, contents, random } = options
  const history: Operation[] = []
  const at = (n: number): Store => stores[n % stores.length] ?? stores[0]
  let tick = 0
  let purging = true

  async function save(store: Store): Promise<void> {
    const chosen = Array.from({ length: 3 }, () => `content ${Math.floor(random() * contents)}`)
    const distinct = [...new Set(chosen)]
    const from = ++tick
    const [unit] = await store.put([{ collection: COLLECTION, items: distinct.map((one) => item(one)) }], from)
    const to = ++tick
    if (unit?.kind !== 'stored') throw new Error(`a save ended with ${unit?.kind}`)
    history.push(
      ...distinct.map((content, index): Save => {
        const outcome = unit.outcomes[index]
        if (outcome === undefined) throw new Error('an outcome is missing')
        return { kind: 'save', content, outcome: outcome.kind, since: outcome.firstSeenMs, from, to }
      }),
    )
  }

  async function remove(store: Store): Promise<void> {
    const from = ++tick
    const { kind } = await store.deleteCollection(COLLECTION.name, from)
    const to = ++tick
    if (kind !== 'unknown' && kind !== 'busy') history.push({ kind: 'deletion', from, to })
  }

  async function repeat(times: number, work: () => Promise<void>): Promise<void> {
    for (let n = 0; n < times; n++) await work()
  }

  async function purge(store: Store): Promise<void> {
    for (;;) {
      const { open } = await store.purge(tick)
      if (open === 0 && !purging) return
      await new Promise((resolve) => void setTimeout(resolve, 1))
    }
  }

  const purges = stores.map((store) => purge(store))
  await Promise.all([
    ...Array.from({ length: clients }, (_, n) => repeat(saves, () => save(at(n)))),
    repeat(deletions, async () => {
      await new Promise((resolve) => void setTimeout(resolve, random() * 20))
      await remove(at(Math.floor(random() * stores.length)))
    }),
  ])
  purging = false
  await Promise.all(purges)
  const { items } = await stores[0].list(COLLECTION.name, { limit: 1_000 })
  const final = new Map(
    items.map((one) => [JSON.parse(Buffer.from(one.content).toString()) as string, one.firstSeenMs]),
  )
  return { history, final }
}

/** A cache in memory that a test can make unavailable, freeze and inspect. cache.contract.test.ts tests both caches. */
import type { CacheKey, Fact, ItemCache } from '../items/cache/cache.ts'
import type { VersionStamp } from '../items/store-version.ts'

export interface FakeCache extends ItemCache {
  readonly facts: Map<string, Fact>
  readonly notes: Map<string, bigint>
  /** `away`: every call fails. `frozen`: no call settles. */
  state: 'there' | 'away' | 'frozen'
  /** Number of calls so far. */
  readonly calls: ('read' | 'write' | 'note')[]
}

const nameOf = ({ collection, id }: CacheKey): string => `${collection}/${id}`

export function createFakeCache(): FakeCache {
  const facts = new Map<string, Fact>()
  const notes = new Map<string, bigint>()

  async function called(name: FakeCache['calls'][number]): Promise<void> {
    cache.calls.push(name)
    if (cache.state === 'away') throw new Error('the cache is away')
    if (cache.state === 'frozen') await new Promise<never>(() => {})
  }

  const cache: FakeCache = {
    facts,
    notes,
    state: 'there',
    calls: [],
    async read(keys) {
      await called('read')
      return keys.map((key) => facts.get(nameOf(key)))
    },
    async write(entries) {
      await called('write')
      for (const { collection, id, ...fact } of entries) facts.set(nameOf({ collection, id }), fact)
    },
    async note({ epoch, position }): Promise<VersionStamp> {
      await called('note')
      const noted = notes.get(epoch)
      const furthest = noted !== undefined && noted > position ? noted : position
      notes.set(epoch, furthest)
      return { epoch, position: furthest }
    },
    [Symbol.asyncDispose]: async () => {},
  }
  return cache
}

/** The part of the contract suite about deletions of collections. contract.ts runs it. */
import { expect } from 'vitest'
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import { type CollectionDeletion, MAX_OPEN_DELETIONS, PURGE_ITEMS } from '../../items/collection-deletion.ts'
import type { Collection, PreparedItem } from '../../items/item.ts'
import type { IdempotencyRequest, ItemStore, Unit, UnitOutcome } from '../../items/store.ts'

/** What contract.ts lends to its parts. */
export interface ContractTools {
  readonly it: (title: string, body: () => Promise<void>) => void
  /** Returns the store of the running test. */
  readonly store: () => ItemStore
  readonly item: (value: unknown) => PreparedItem
  /** Default collection: `things`. */
  readonly unit: (values: readonly unknown[], collection?: Collection) => Unit
  readonly keyRequest: (key: string) => IdempotencyRequest
  /** Wall time of puts, in milliseconds. */
  readonly now: number
}

export function deletionContract({ it, store, item, unit, keyRequest, now }: ContractTools): void {
  const putOne = async (one: Unit, nowMs = now): Promise<UnitOutcome | undefined> =>
    (await store().put([one], nowMs))[0]

  const started = async (collection: string): Promise<CollectionDeletion> => {
    const outcome = await store().deleteCollection(collection, now)
    if (outcome.kind !== 'started') throw new Error(`the deletion of ${collection} is ${outcome.kind}`)
    return outcome.deletion
  }

  /** Purges until no deletion is open. Returns the number of removed items. */
  const purgeAll = async (): Promise<number> => {
    let removed = 0
    for (;;) {
      const step = await store().purge(now + 1)
      removed += step.removed
      if (step.open === 0) return removed
    }
  }

  it('deletes a collection at once, and keeps its policy', async () => {
    await putOne(unit([1, 2]))
    await putOne(unit([1], { name: 'others', policy: DEFAULT_POLICY }))
    const before = await store().version('things')
    const outcome = await store().deleteCollection('things', now + 1)
    expect(outcome).toMatchObject({
      kind: 'started',
      deletion: { collection: 'things', startedMs: now + 1, deletedItems: 0 },
    })
    expect(await store().get('things', item(1).id)).toBeUndefined()
    expect(await store().list('things', { limit: 10 })).toEqual({ items: [] })
    expect(await store().collection('things')).toEqual({ name: 'things', policy: DEFAULT_POLICY })
    const after = await store().version('things')
    expect(after.deletes).toBeGreaterThan(before.deletes)
    expect(after.position > before.position && after.epoch === before.epoch).toBe(true)
    expect((await store().version('others')).deletes).toBe(0)
    expect(await putOne(unit([1]), now + 2)).toMatchObject({ outcomes: [{ kind: 'created', firstSeenMs: now + 2 }] })
  })

  it('purges the items of a deleted collection, and no others', async () => {
    for (let n = 0; n < 3; n++) await putOne(unit(Array.from({ length: 400 }, (_, at) => [n, at])))
    await putOne(unit([1], { name: 'others', policy: DEFAULT_POLICY }))
    const { id } = await started('things')
    await putOne(unit([[0, 0], 'later']))
    expect(await purgeAll()).toBe(1_200)
    expect(await store().deletion('things', id)).toEqual({
      id,
      collection: 'things',
      startedMs: now,
      endedMs: now + 1,
      deletedItems: 1_200,
    })
    expect((await store().list('things', { limit: 1_000 })).items.map((one) => one.id)).toEqual([
      item([0, 0]).id,
      item('later').id,
    ])
    expect((await store().list('others', { limit: 1_000 })).items).toHaveLength(1)
    expect(await store().purge(now)).toEqual({ removed: 0, open: 0 })
  })

  it('purges in steps of limited size', async () => {
    for (let n = 0; n < 3; n++) await putOne(unit(Array.from({ length: 400 }, (_, at) => [n, at])))
    await started('things')
    const step = await store().purge(now)
    expect(step.removed).toBeGreaterThan(0)
    expect(step.removed).toBeLessThanOrEqual(PURGE_ITEMS)
    expect(step.open).toBe(1)
  })

  it('continues the deletions in turn', async () => {
    const values = Array.from({ length: 600 }, (_, n) => n)
    for (const name of ['one', 'two']) await putOne(unit(values, { name, policy: DEFAULT_POLICY }))
    const one = await started('one')
    const two = await started('two')
    expect((await store().purge(now)).deletion).toBe(one.id)
    expect((await store().purge(now, one.id)).deletion).toBe(two.id)
    expect((await store().purge(now, two.id)).deletion).toBe(one.id)
  })

  it('joins a running deletion, and deletes items that were saved after it', async () => {
    await putOne(unit([1]))
    const first = await started('things')
    expect(await store().deleteCollection('things', now + 5)).toEqual({ kind: 'joined', deletion: first })
    await putOne(unit([2]))
    const second = await started('things')
    expect(second.id).not.toBe(first.id)
    expect(await store().deleteCollection('things', now)).toEqual({ kind: 'joined', deletion: second })
    expect(await purgeAll()).toBe(2)
    expect(await store().deleteCollection('things', now)).toEqual({ kind: 'empty' })
  })

  it('finds nothing to delete in an unknown or empty collection', async () => {
    expect(await store().deleteCollection('nowhere', now)).toEqual({ kind: 'unknown' })
    await store().define('chosen', { kind: 'bytes' })
    expect(await store().deleteCollection('chosen', now)).toEqual({ kind: 'empty' })
    expect(await store().collection('chosen')).toEqual({ name: 'chosen', policy: { kind: 'bytes' } })
  })

  it('has no deletion under a wrong id or another collection', async () => {
    await putOne(unit([1]))
    const { id } = await started('things')
    expect(await store().deletion('others', id)).toBeUndefined()
    for (const wrong of ['', '0', '999', 'x', `0${id}`, `${id}.0`, '99999999999999999999']) {
      expect(await store().deletion('things', wrong)).toBeUndefined()
    }
  })

  it('accepts a new policy for a deleted collection', async () => {
    await putOne(unit([1]))
    await started('things')
    expect(await store().define('things', { kind: 'bytes' })).toBe('defined')
    await purgeAll()
    expect(await store().collection('things')).toEqual({ name: 'things', policy: { kind: 'bytes' } })
  })

  it('replays a receipt after its collection was deleted', async () => {
    await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })
    await started('things')
    await purgeAll()
    expect(await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })).toMatchObject({ kind: 'replayed' })
    expect((await store().list('things', { limit: 1 })).items).toEqual([])
  })

  it('lists later items to a client with a cursor from before the deletion', async () => {
    await putOne(unit([1, 2, 3]))
    const { next } = await store().list('things', { limit: 2 })
    await started('things')
    await putOne(unit([4]))
    const rest = await store().list('things', { limit: 2, after: next ?? '' })
    expect(rest.items.map((one) => one.id)).toEqual([item(4).id])
  })

  it('refuses a deletion while too many are running', async () => {
    for (let n = 0; n <= MAX_OPEN_DELETIONS; n++) await putOne(unit([1], { name: `c${n}`, policy: DEFAULT_POLICY }))
    const outcomes = await Promise.all(
      Array.from({ length: MAX_OPEN_DELETIONS + 1 }, (_, n) => store().deleteCollection(`c${n}`, now)),
    )
    const refused = outcomes.findIndex(({ kind }) => kind === 'busy')
    expect(outcomes.filter(({ kind }) => kind === 'started')).toHaveLength(MAX_OPEN_DELETIONS)
    expect((await store().list(`c${refused}`, { limit: 10 })).items).toHaveLength(1)
    await purgeAll()
    expect(await store().deleteCollection(`c${refused}`, now)).toMatchObject({ kind: 'started' })
  })
}

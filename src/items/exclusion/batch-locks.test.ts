import { expect, test } from 'vitest'
import { type ErrorCode, IngotError } from '../../errors/error.ts'
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import type { LockBackend } from '../../lock/backend.ts'
import { createMemoryBackend } from '../../lock/backends/memory/backend.ts'
import { createLocker } from '../../lock/locker.ts'
import type { WaitOptions } from '../../lock/policy.ts'
import { createFakeClock, whileTimePasses } from '../../testing/clock.ts'
import { createFailingBackend, type Trouble } from '../../testing/locks/failing-backend.ts'
import { item } from '../contract.ts'
import { createMemoryStore } from '../stores/memory/store.ts'
import { itemLockKey, withBatchLocks } from './batch-locks.ts'

const collection = { name: 'things', policy: DEFAULT_POLICY }
const unit = { collection, items: [item(1), item(2)] }

function setUp(trouble: Trouble) {
  const clock = createFakeClock()
  const backend = Object.assign(createFailingBackend(createMemoryBackend({ clock }), clock), { trouble })
  const reasons: string[] = []
  const locker = createLocker(backend, { clock, ttlMs: 1_000 })
  const store = withBatchLocks(createMemoryStore(), locker, { waitMs: 50, onUnlocked: (why) => reasons.push(why) })
  return { clock, backend, store, reasons }
}

test('a batch is put under the locks of all its items', async () => {
  const { clock, store, backend, reasons } = setUp('none')
  const [outcome] = await whileTimePasses(clock, store.put([unit], 1))
  expect(outcome).toMatchObject({ outcomes: [{ kind: 'created' }, { kind: 'created' }] })
  expect(backend.calls.filter((call) => call === 'tryAcquire')).toHaveLength(2)
  expect(reasons).toEqual([])
})

test('waits for content that another holder locked, then refuses it as in flight', async () => {
  const { clock, store, backend, reasons } = setUp('none')
  const key = itemLockKey('things', item(2).id)
  await using other = await createLocker(backend, { clock, ttlMs: 10_000 }).acquire(key)
  other.assertHeld()
  const put = expect(store.put([unit], 1)).rejects.toMatchObject({ code: 'IN_FLIGHT' })
  await whileTimePasses(clock, put)
  expect(reasons).toEqual([])
})

test('during an outage of the lock service the store alone decides', async () => {
  const { clock, store, reasons } = setUp('down')
  await whileTimePasses(clock, store.put([unit], 1))
  const [again] = await whileTimePasses(clock, store.put([unit], 2))
  expect(again).toMatchObject({ outcomes: [{ kind: 'duplicate' }, { kind: 'duplicate' }] })
  expect(reasons).toEqual(['LOCK_BACKEND_UNAVAILABLE', 'LOCK_BACKEND_UNAVAILABLE'])
})

/** Codes of outages that a lock service, its fence store or a breaker may report. */
const OUTAGES: readonly ErrorCode[] = [
  'LOCK_BACKEND_UNAVAILABLE',
  'LOCK_BREAKER_OPEN',
  'FENCE_STORE_UNAVAILABLE',
  'REDIS_UNREACHABLE',
  'REDIS_ACCESS_REFUSED',
  'REDIS_TLS_FAILED',
  'REDIS_OUT_OF_MEMORY',
]

type Judge = (failure: unknown) => unknown
const asItIs: Judge = (failure) => failure

/** Puts a batch during an outage with each code. Returns the codes for which the put was refused. */
async function refusedFor(judge: Judge): Promise<readonly ErrorCode[]> {
  const refused: ErrorCode[] = []
  for (const code of OUTAGES) {
    const { clock, backend } = setUp('none')
    const error = new IngotError(code, 'an outage')
    const out: LockBackend = { ...backend, tryAcquire: async () => ({ kind: 'unavailable', error }) }
    const locker = createLocker(out, { clock, ttlMs: 1_000 })
    const acquire = locker.acquire.bind(locker)
    const judged = (keys: readonly string[], options?: WaitOptions) =>
      acquire(keys, options).catch((failure: unknown) => {
        throw judge(failure)
      })
    Object.defineProperty(locker, 'acquire', { value: judged })
    const store = withBatchLocks(createMemoryStore(), locker, { waitMs: 50 })
    await whileTimePasses(
      clock,
      store.put([unit], 1).catch(() => refused.push(code)),
    )
  }
  return refused
}

test('no outage refuses a write, whatever its code', async () => {
  expect(await refusedFor(asItIs)).toEqual([])
})

test('mutation: if outages are recognised by a list of codes, codes missing from the list refuse writes', async () => {
  const listed: ReadonlySet<unknown> = new Set<ErrorCode>(['LOCK_BACKEND_UNAVAILABLE', 'REDIS_UNREACHABLE'])
  const byList: Judge = (failure) => {
    if (!(failure instanceof IngotError) || listed.has(failure.code)) return failure
    return new IngotError(failure.code, failure.message)
  }
  expect(await refusedFor(byList)).toEqual(OUTAGES.filter((code) => !listed.has(code)))
})

/**
 * The contract suite of lock backends, against real services. A backend passes every test, or skips a test with a
 * reason. A skip that matches no test fails, and so does a missing server if `CI` is set. Time is real, because servers
 * have their own clocks.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FEATURES } from '../testing/locks/features.ts'
import type { Peer } from '../testing/locks/processes.ts'
import { type Absent, present } from '../testing/present.ts'
import type { LeaseRequest, LockBackend } from './backend.ts'
import type { Attempt, Fencing, Key, Token } from './lock.ts'
import { createLocker } from './locker.ts'
import { newToken } from './token.ts'

export interface Skip {
  /** The complete title of the test. */
  readonly test: string
  readonly reason: string
}

/** A lock service under test, and the way for other processes to reach it. */
export interface Subject extends AsyncDisposable {
  readonly backend: LockBackend
  /** Another process on the same service. Absent if there can be none. */
  readonly startPeer?: () => Promise<Peer>
  /** The shortest lease that the service ends by itself, and how much later it may end. Default: 400 and 1000 ms. */
  readonly deadAfter?: { readonly shortMs: number; readonly lateMs: number; readonly reason: string }
}

/** The part of the suite that a test uses. */
interface Bench {
  readonly backend: LockBackend
  readonly deadAfter: { readonly shortMs: number; readonly lateMs: number }
  startPeer(): Promise<Peer>
}

type Case = readonly [title: string, body: (bench: Bench) => Promise<void>]

const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const newKey = (): Key => `contract:${newToken()}`

const TTL_MS = 5_000
/** Long enough for a busy machine to respond in time, short enough to wait for its end. */
const SHORT_MS = 400

function request(key: Key, ttlMs = TTL_MS, token: Token = newToken()): LeaseRequest {
  return { key, token, ttlMs }
}

function ask(bench: Bench, wanted: LeaseRequest): Promise<Attempt<Fencing>> {
  return bench.backend.tryAcquire(wanted, soon())
}

type Granted = Extract<Attempt<Fencing>, { kind: 'granted' }>

/** Returns the grant. Fails with the backend's outcome if there is none. */
function granted(attempt: Attempt<Fencing>): Granted {
  if (attempt.kind === 'granted') return attempt
  throw new Error(`expected a grant, got ${attempt.kind === 'unavailable' ? String(attempt.error) : attempt.kind}`, {
    cause: attempt,
  })
}

function fenceOf(attempt: Attempt<Fencing>): bigint {
  const { fence } = granted(attempt)
  if (fence === undefined) throw new Error('expected a fence')
  return fence
}

async function grantAndRelease(bench: Bench, key: Key): Promise<bigint> {
  const wanted = request(key)
  const fence = fenceOf(await ask(bench, wanted))
  expect(await bench.backend.release(wanted, soon())).toEqual({ kind: 'released' })
  return fence
}

const LEASES: readonly Case[] = [
  [
    'grants a free key for the requested time',
    async (bench) => {
      const { ttlMs } = granted(await ask(bench, request(newKey())))
      expect(ttlMs).toBeLessThanOrEqual(TTL_MS)
      expect(ttlMs).toBeGreaterThan(TTL_MS * 0.9)
    },
  ],
  [
    'refuses a held key to another token',
    async (bench) => {
      const key = newKey()
      granted(await ask(bench, request(key)))
      const refused = await ask(bench, request(key))
      expect(refused.kind).toBe('held')
      if (refused.kind === 'held') expect(refused.remainingMs ?? 1).toBeGreaterThan(0)
      if (refused.kind === 'held') expect(refused.remainingMs ?? 1).toBeLessThanOrEqual(TTL_MS)
    },
  ],
  [
    'keeps similar, long and non-ASCII keys separate',
    async (bench) => {
      const key = newKey()
      for (const other of [key, `${key}a`, `{${key}}`, key.padEnd(512, 'x'), `${key} ü€😀\n`, `${key}*`]) {
        granted(await ask(bench, request(other)))
      }
    },
  ],
  [
    'grants one of 20 concurrent attempts',
    async (bench) => {
      const key = newKey()
      const attempts = await Promise.all(Array.from({ length: 20 }, () => ask(bench, request(key))))
      // votes may split among independent nodes, but more than one grant is never allowed
      expect(attempts.filter((a) => a.kind === 'granted').length).toBeLessThanOrEqual(1)
      expect(attempts.filter((a) => a.kind === 'unavailable')).toEqual([])
    },
  ],
  [
    'frees the key when its owner releases',
    async (bench) => {
      const key = newKey()
      const wanted = request(key)
      granted(await ask(bench, wanted))
      expect(await bench.backend.release(wanted, soon())).toEqual({ kind: 'released' })
      granted(await ask(bench, request(key)))
    },
  ],
  [
    'releases only for the owner',
    async (bench) => {
      const key = newKey()
      granted(await ask(bench, request(key)))
      expect(await bench.backend.release(request(key), soon())).toEqual({ kind: 'lost' })
      expect((await ask(bench, request(key))).kind).toBe('held')
    },
  ],
  [
    'returns lost for a second release, and does not affect the next owner',
    async (bench) => {
      const key = newKey()
      const first = request(key)
      granted(await ask(bench, first))
      await bench.backend.release(first, soon())
      granted(await ask(bench, request(key)))
      expect(await bench.backend.release(first, soon())).toEqual({ kind: 'lost' })
      expect((await ask(bench, request(key))).kind).toBe('held')
    },
  ],
  [
    'a lease expires by itself, not before its time',
    async (bench) => {
      const key = newKey()
      const first = request(key, SHORT_MS)
      granted(await ask(bench, first))
      await sleep(SHORT_MS / 2)
      expect((await ask(bench, request(key))).kind).toBe('held')
      await sleep(SHORT_MS / 2 + 50)
      granted(await ask(bench, request(key)))
      expect(await bench.backend.release(first, soon())).toEqual({ kind: 'lost' })
    },
  ],
  [
    'extends a lease beyond its first end',
    async (bench) => {
      const key = newKey()
      const wanted = request(key, SHORT_MS)
      granted(await ask(bench, wanted))
      const extension = await bench.backend.extend({ ...wanted, ttlMs: TTL_MS }, soon())
      expect(extension.kind).toBe('extended')
      if (extension.kind === 'extended') expect(extension.ttlMs).toBeGreaterThan(TTL_MS * 0.9)
      await sleep(SHORT_MS + 50)
      expect((await ask(bench, request(key))).kind).toBe('held')
      expect(await bench.backend.release(wanted, soon())).toEqual({ kind: 'released' })
    },
  ],
  [
    'extends neither for another token nor after the end',
    async (bench) => {
      const key = newKey()
      const wanted = request(key, SHORT_MS)
      granted(await ask(bench, wanted))
      expect(await bench.backend.extend(request(key), soon())).toEqual({ kind: 'lost' })
      await sleep(SHORT_MS + 50)
      expect(await bench.backend.extend(wanted, soon())).toEqual({ kind: 'lost' })
      granted(await ask(bench, request(key)))
      expect(await bench.backend.extend(wanted, soon())).toEqual({ kind: 'lost' })
    },
  ],
  [
    'grants a repeated token again, with the same fence',
    async (bench) => {
      const wanted = request(newKey())
      const first = granted(await ask(bench, wanted))
      const again = granted(await ask(bench, wanted))
      expect(again.fence).toBe(first.fence)
      expect(again.ttlMs).toBeLessThanOrEqual(TTL_MS)
      expect(again.ttlMs).toBeGreaterThan(0)
      expect(await bench.backend.release(wanted, soon())).toEqual({ kind: 'released' })
    },
  ],
  [
    'inspect distinguishes held and free keys',
    async (bench) => {
      const wanted = request(newKey())
      expect(await bench.backend.inspect(wanted.key, soon())).toEqual({ kind: 'free' })
      const { fence } = granted(await ask(bench, wanted))
      const held = await bench.backend.inspect(wanted.key, soon())
      expect(held.kind).toBe('held')
      if (held.kind === 'held') expect(held.remainingMs ?? 1).toBeLessThanOrEqual(TTL_MS)
      if (held.kind === 'held') expect(held.fence ?? fence).toBe(fence)
      await bench.backend.release(wanted, soon())
      expect(await bench.backend.inspect(wanted.key, soon())).toEqual({ kind: 'free' })
    },
  ],
  [
    'returns one outcome per key in one exchange, in order',
    async ({ backend }) => {
      if (backend.tryAcquireMany === undefined) throw new Error('this backend acquires keys one by one')
      const keys = [newKey(), newKey(), newKey()]
      granted(await backend.tryAcquire(request(keys[1] ?? ''), soon()))
      const attempts = await backend.tryAcquireMany(
        keys.map((key) => request(key)),
        soon(),
      )
      expect(attempts.map((a) => a.kind)).toEqual(['granted', 'held', 'granted'])
      expect(await backend.tryAcquireMany([], soon())).toEqual([])
    },
  ],
]

const FENCES: readonly Case[] = [
  [
    'returns a fence exactly if it promises one',
    async (bench) => {
      const { fence } = granted(await ask(bench, request(newKey())))
      expect(typeof fence).toBe(bench.backend.capabilities.fencing === 'none' ? 'undefined' : 'bigint')
    },
  ],
  [
    'raises the fence with every grant of a key',
    async (bench) => {
      const key = newKey()
      const fences: bigint[] = []
      for (let i = 0; i < 10; i++) fences.push(await grantAndRelease(bench, key))
      expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(new Set(fences).size).toBe(10)
      expect((fences[0] ?? 0n) > 0n && (fences[9] ?? 0n) < 2n ** 63n).toBe(true)
    },
  ],
  [
    'raises the fence after a lease that expired',
    async (bench) => {
      const key = newKey()
      const first = fenceOf(await ask(bench, request(key, SHORT_MS)))
      await sleep(SHORT_MS + 50)
      expect(await grantAndRelease(bench, key)).toBeGreaterThan(first)
    },
  ],
]

const SIGNALS: readonly Case[] = [
  [
    'returns unavailable to a call whose signal has aborted',
    async ({ backend }) => {
      const wanted = request(newKey())
      const gone = AbortSignal.abort(new Error('gone'))
      expect((await backend.tryAcquire(wanted, gone)).kind).toBe('unavailable')
      expect((await backend.extend(wanted, gone)).kind).toBe('unavailable')
      expect((await backend.release(wanted, gone)).kind).toBe('unavailable')
      expect((await backend.inspect(wanted.key, gone)).kind).toBe('unavailable')
    },
  ],
]

/** Returns a refusal with a wait entry. */
async function queueUp(bench: Bench, wanted: LeaseRequest): Promise<string> {
  const refused = await ask(bench, { ...wanted, willWait: true })
  if (refused.kind !== 'held' || refused.ticket === undefined) throw new Error(`expected a ticket, got ${refused.kind}`)
  return refused.ticket
}

function waitOf({ backend }: Bench): NonNullable<LockBackend['wait']> {
  return (key, ticket, signal) => {
    if (backend.wait === undefined) throw new Error('this backend cannot wake its waiters')
    return backend.wait(key, ticket, signal)
  }
}

const WAITING: readonly Case[] = [
  [
    'wakes a waiter when the key is released',
    async (bench) => {
      const [first, second] = [request(newKey()), newToken()]
      granted(await ask(bench, first))
      const next = request(first.key, TTL_MS, second)
      const ticket = await queueUp(bench, next)
      const woken = waitOf(bench)(first.key, ticket, soon())
      await sleep(50)
      const releasedAt = performance.now()
      await bench.backend.release(first, soon())
      await woken
      // a poller would not return within this time
      expect(performance.now() - releasedAt).toBeLessThan(250)
      granted(await ask(bench, { ...next, willWait: true }))
    },
  ],
  [
    'ends a wait when its signal aborts',
    async (bench) => {
      const first = request(newKey())
      granted(await ask(bench, first))
      const next = request(first.key)
      const abort = new AbortController()
      const waiting = waitOf(bench)(first.key, await queueUp(bench, next), abort.signal)
      abort.abort(new Error('enough'))
      await waiting
      expect(await bench.backend.release(next, soon())).toEqual({ kind: 'lost' })
      expect((await ask(bench, request(first.key))).kind).toBe('held')
    },
  ],
  [
    'the next waiter passes a waiter that gave up',
    async (bench) => {
      const [first, quitter] = [request(newKey()), newToken()]
      granted(await ask(bench, first))
      const left = request(first.key, TTL_MS, quitter)
      await queueUp(bench, left)
      const next = request(first.key)
      const woken = waitOf(bench)(first.key, await queueUp(bench, next), soon())
      await bench.backend.release(left, soon())
      await bench.backend.release(first, soon())
      await woken
      granted(await ask(bench, { ...next, willWait: true }))
    },
  ],
  [
    'keeps a released key for the first waiter',
    async (bench) => {
      const first = request(newKey())
      granted(await ask(bench, first))
      const next = request(first.key)
      const woken = waitOf(bench)(first.key, await queueUp(bench, next), soon())
      await bench.backend.release(first, soon())
      expect((await ask(bench, request(first.key))).kind).toBe('held')
      await woken
      granted(await ask(bench, { ...next, willWait: true }))
    },
  ],
  [
    'serves waiters in order of arrival',
    async (bench) => {
      const first = request(newKey())
      granted(await ask(bench, first))
      const wait = waitOf(bench)
      const order: number[] = []
      const serve = async (n: number, wanted: LeaseRequest, ticket: string): Promise<void> => {
        let attempt: Attempt<Fencing> = { kind: 'held', remainingMs: undefined, ticket }
        while (attempt.kind === 'held') {
          await wait(first.key, attempt.ticket ?? '', soon())
          attempt = await ask(bench, wanted)
        }
        granted(attempt)
        order.push(n)
        await bench.backend.release(wanted, soon())
      }
      const served: Promise<void>[] = []
      for (let n = 0; n < 5; n++) {
        const wanted = { ...request(first.key), willWait: true }
        served.push(serve(n, wanted, await queueUp(bench, wanted)))
      }
      await bench.backend.release(first, soon())
      await Promise.all(served)
      expect(order).toEqual([0, 1, 2, 3, 4])
    },
  ],
]

const PROCESSES: readonly Case[] = [
  [
    'keeps a key from another process until it is released',
    async (bench) => {
      await using peer = await bench.startPeer()
      const [own, other] = [request(newKey()), newToken()]
      const theirs = request(own.key, TTL_MS, other)
      granted(await ask(bench, own))
      expect((await peer.tryAcquire(theirs)).kind).toBe('held')
      expect((await peer.inspect(own.key)).kind).toBe('held')
      expect(await peer.release(theirs)).toEqual({ kind: 'lost' })
      await bench.backend.release(own, soon())
      granted(await peer.tryAcquire(theirs))
      expect((await ask(bench, request(own.key))).kind).toBe('held')
    },
  ],
  [
    'raises the fence across processes',
    async (bench) => {
      await using peer = await bench.startPeer()
      const key = newKey()
      const fences: bigint[] = []
      for (let i = 0; i < 3; i++) {
        fences.push(await grantAndRelease(bench, key))
        const theirs = request(key)
        fences.push(fenceOf(await peer.tryAcquire(theirs)))
        await peer.release(theirs)
      }
      expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(new Set(fences).size).toBe(6)
    },
  ],
  [
    'frees the key of a killed process when its lease ends',
    async (bench) => {
      await using peer = await bench.startPeer()
      const key = newKey()
      const { shortMs, lateMs } = bench.deadAfter
      granted(await peer.tryAcquire(request(key, shortMs)))
      peer.signal('SIGKILL')
      const killedAt = performance.now()
      let attempt = await ask(bench, request(key))
      while (attempt.kind !== 'granted' && performance.now() - killedAt < shortMs + lateMs) {
        await sleep(20)
        attempt = await ask(bench, request(key))
      }
      granted(attempt)
    },
  ],
]

/** Blocks this process's event loop, like a long garbage collection. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const POLICY: readonly Case[] = [
  [
    'keeps a renewed lease through a blocked event loop',
    async ({ backend }) => {
      await using locker = createLocker(backend, { ttlMs: 1_500 })
      await using grant = await locker.acquire(newKey())
      for (let i = 0; i < 3; i++) {
        block(900)
        expect(grant.isHeld()).toBe(true)
        await sleep(200)
      }
      expect((await backend.inspect(grant.key, soon())).kind).toBe('held')
      expect(await grant.release()).toEqual({ kind: 'released' })
    },
  ],
  [
    'grants the key to the next waiter after its holder was blocked beyond the lease, and the holder detects the loss',
    async ({ backend }) => {
      await using locker = createLocker(backend, { ttlMs: SHORT_MS })
      const grant = await locker.acquire(newKey())
      block(SHORT_MS + 100)
      expect(grant.isHeld()).toBe(false)
      expect(grant.signal.aborted).toBe(true)
      await using next = await createLocker(backend).acquire(grant.key)
      expect(next.isHeld()).toBe(true)
      expect(await grant.release()).toEqual({ kind: 'lost' })
      expect(next.isHeld()).toBe(true)
    },
  ],
  [
    'serves 20 waiters of one key once each, one at a time',
    async ({ backend }) => {
      const key = newKey()
      const lockers = Array.from({ length: 4 }, () => createLocker(backend, { waitMs: 50_000 }))
      let inside = 0
      let served = 0
      const serve = async (n: number): Promise<bigint | undefined> => {
        const locker = lockers[n % lockers.length] ?? createLocker(backend)
        await using grant = await locker.acquire(key)
        expect(++inside).toBe(1)
        await sleep(5)
        inside--
        served++
        return grant.fence
      }
      const fences = await Promise.all(Array.from({ length: 20 }, (_, n) => serve(n)))
      expect(served).toBe(20)
      if (backend.capabilities.fencing !== 'none') expect(new Set(fences).size).toBe(20)
    },
  ],
  [
    'acquires several keys at once, and none of them if one is held',
    async ({ backend }) => {
      await using locker = createLocker(backend)
      await using other = createLocker(backend)
      const keys = [newKey(), newKey(), newKey()].toSorted()
      const grant = await locker.acquire(keys)
      expect((await other.tryAcquire(keys)).kind).toBe('held')
      expect(await grant.release()).toEqual({ kind: 'released' })
      const held = await other.acquire(keys[1] ?? '')
      await expect(locker.acquire(keys, { waitMs: 200 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
      await locker[Symbol.asyncDispose]()
      expect((await backend.inspect(keys[0] ?? '', soon())).kind).toBe('free')
      expect((await backend.inspect(keys[2] ?? '', soon())).kind).toBe('free')
      expect(await held.release()).toEqual({ kind: 'released' })
    },
  ],
  [
    'stops waiting when the signal aborts, and leaves no entry or lease behind',
    async ({ backend }) => {
      await using locker = createLocker(backend)
      await using other = createLocker(backend)
      const held = await locker.acquire(newKey())
      const abort = new AbortController()
      const waiting = other.acquire(held.key, { signal: abort.signal })
      await sleep(100)
      const abortedAt = performance.now()
      abort.abort(new Error('enough'))
      await expect(waiting).rejects.toThrow('enough')
      // its deadline would be ten seconds
      expect(performance.now() - abortedAt).toBeLessThan(1_000)
      await other[Symbol.asyncDispose]()
      await held.release()
      expect((await locker.tryAcquire(held.key)).kind).toBe('granted')
    },
  ],
]

const CASES: readonly Case[] = [...LEASES, ...FENCES, ...SIGNALS, ...WAITING, ...PROCESSES, ...POLICY, ...FEATURES]

function benchOf({ backend, startPeer, deadAfter }: Subject): Bench {
  return {
    backend,
    deadAfter: deadAfter ?? { shortMs: SHORT_MS, lateMs: 1_000 },
    startPeer: startPeer ?? (() => Promise.reject(new Error('no other process can reach this backend'))),
  }
}

/**
 * Every backend passes this suite, or skips tests with a reason. `make` is called once. Keys of tests never overlap.
 */
export function lockContract(name: string, make: () => Promise<Subject | Absent>, skips: readonly Skip[] = []): void {
  describe(`lock contract: ${name}`, () => {
    let subject: Subject | Absent = { absent: 'not started' }

    beforeAll(async () => {
      subject = await make()
    })
    afterAll(async () => {
      if (!('absent' in subject)) await subject[Symbol.asyncDispose]()
    })

    test('skips only tests that exist', () => {
      const titles = CASES.map(([title]) => title)
      expect(skips.map((skip) => skip.test).filter((title) => !titles.includes(title))).toEqual([])
    })

    for (const [title, body] of CASES) {
      test(title, async ({ skip }) => {
        const reason = skips.find((s) => s.test === title)?.reason
        if (reason !== undefined) skip(reason)
        await body(benchOf(present(subject, skip)))
      })
    }
  })
}

/** When a command is stopped, on a fake clock. */
import { describe, expect, test } from 'vitest'
import { createFakeClock, type FakeClock } from '../../testing/clock.ts'
import { type Ended, type Job, supervise } from './supervise.ts'

const TERMS = { ttlMs: 30_000, graceMs: 5_000, reserveMs: 500 }

/** A lease that ends 30 s after its last renewal. */
function leaseOn(clock: FakeClock) {
  const loss = new AbortController()
  let endMs = clock.monotonicMs() + TERMS.ttlMs
  return {
    signal: loss.signal,
    remainingMs: () => (loss.signal.aborted ? 0 : Math.max(0, endMs - clock.monotonicMs())),
    renew: () => (endMs = clock.monotonicMs() + TERMS.ttlMs),
    lose: () => loss.abort(),
  }
}

/** A job that records what it gets and how much of the lease is left then. `onTerm`: what SIGTERM does to it. */
function jobOn(lease: { remainingMs(): number }, onTerm: 'ends' | 'leaves a process' | 'goes on') {
  const { promise: ended, resolve } = Promise.withResolvers<Ended>()
  const got: string[] = []
  let isGone = false
  const job: Job & { got: string[]; exit(): void } = {
    got,
    ended,
    exit: () => resolve({ kind: 'exited', code: 0 }),
    isGone: () => isGone,
    ask() {
      got.push(`SIGTERM at ${lease.remainingMs()}`)
      if (onTerm !== 'goes on') job.exit()
      isGone = onTerm === 'ends'
    },
    kill() {
      if (isGone) return
      got.push(`SIGKILL at ${lease.remainingMs()}`)
      isGone = true
      resolve({ kind: 'signalled', name: 'SIGKILL' })
    },
  }
  return job
}

function begin(onTerm: Parameters<typeof jobOn>[1] = 'goes on', terms = TERMS) {
  const clock = createFakeClock()
  const lease = leaseOn(clock)
  const job = jobOn(lease, onTerm)
  return { clock, lease, job, outcome: supervise(job, lease, terms, clock) }
}

describe('a command', () => {
  test('gets no signal while its lease is renewed', async () => {
    const { clock, lease, job, outcome } = begin()
    for (let renewals = 0; renewals < 10; renewals++) {
      await clock.advance(24_000)
      lease.renew()
    }
    job.exit()
    expect(await outcome).toEqual({ ended: { kind: 'exited', code: 0 }, stopped: false })
    expect(job.got).toEqual([])
  })

  test('gets SIGTERM when the grace is left, and SIGKILL before the lease ends', async () => {
    const { clock, job, outcome } = begin()
    await clock.advance(30_000)
    expect(job.got).toEqual(['SIGTERM at 5000', 'SIGKILL at 500'])
    expect(await outcome).toEqual({ ended: { kind: 'signalled', name: 'SIGKILL' }, stopped: true })
  })

  test.each([
    ['with the reserve', true, TERMS],
    // the mutation: the check notices that another may already hold the lock
    ['of a supervisor without the reserve', false, { ...TERMS, reserveMs: 0 }],
  ])('%s: SIGKILL comes before the end of the lease: %s', async (_name, isInTime, terms) => {
    const { clock, job, outcome } = begin('goes on', terms)
    await clock.advance(30_000)
    await outcome
    const [, restMs] = /^SIGKILL at (\d+)$/.exec(job.got.at(-1) ?? '') ?? []
    expect(Number(restMs) > 0).toBe(isInTime)
  })

  test('without a grace gets only SIGKILL, before the lease ends', async () => {
    const { clock, job, outcome } = begin('goes on', { ...TERMS, graceMs: 0 })
    await clock.advance(30_000)
    await outcome
    expect(job.got).toEqual(['SIGKILL at 500'])
  })

  test('is not killed if the lease is renewed during the grace', async () => {
    const { clock, lease, job, outcome } = begin()
    await clock.advance(27_000)
    lease.renew()
    await clock.advance(20_000)
    expect(job.got).toEqual(['SIGTERM at 5000'])
    job.exit()
    await clock.advance(30_000)
    expect(await outcome).toMatchObject({ stopped: true })
  })

  test('is killed at once if the lock service reports that the lock is lost', async () => {
    const { lease, job, outcome } = begin()
    lease.lose()
    expect(job.got).toEqual(['SIGKILL at 0'])
    expect(await outcome).toMatchObject({ stopped: true })
  })

  test('is killed at once after the process was frozen beyond the lease', async () => {
    const { clock, job, outcome } = begin()
    clock.block(60_000)
    await clock.advance(1)
    expect(job.got).toEqual(['SIGKILL at 0'])
    expect(await outcome).toMatchObject({ stopped: true })
  })

  test('that ends on SIGTERM leaves no process of its group beside the next holder', async () => {
    const { clock, job, outcome } = begin('leaves a process')
    await clock.advance(30_000)
    await outcome
    expect(job.got).toHaveLength(2)
    const [, rest] = /^SIGKILL at (\d+)$/.exec(job.got[1] ?? '') ?? []
    expect(Number(rest)).toBeGreaterThan(TERMS.reserveMs - 21)
  })

  test('that ends on SIGTERM with its whole group gets no SIGKILL', async () => {
    const { clock, job, outcome } = begin('ends')
    await clock.advance(30_000)
    expect(await outcome).toEqual({ ended: { kind: 'exited', code: 0 }, stopped: true })
    expect(job.got).toEqual(['SIGTERM at 5000'])
  })
})

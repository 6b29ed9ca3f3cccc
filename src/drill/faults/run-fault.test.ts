import { describe, expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { createFakeClock } from '../../testing/clock.ts'
import type { Event } from '../history.ts'
import type { FaultInjection, Injection } from './fault.ts'
import { ABORTED_UNDO_MS, type FaultOutcome, runFaultUntilProven, UNDO_MS } from './run-fault.ts'

interface FakeRun {
  readonly steps: readonly string[]
  readonly events: readonly Event[]
  readonly clock: ReturnType<typeof createFakeClock>
  readonly ending: AbortController
  readonly outcome: Promise<FaultOutcome>
}

const fails = (message: string) => (): Promise<never> => Promise.reject(new Error(message))
const never = (): Promise<never> => new Promise(() => {})

/** Runs a fake fault. `steps` lists the calls of its steps; `overrides` replace steps. */
function start(overrides: Partial<Injection> & Partial<Omit<FaultInjection, 'name'>> = {}): FakeRun {
  const steps: string[] = []
  const events: Event[] = []
  const clock = createFakeClock()
  const ending = new AbortController()
  const { prepare, losesLocks, losesItems, tries, ...parts } = overrides
  const step = <T>(name: string, result: T, override?: (signal: AbortSignal) => Promise<T>) => {
    return async (signal: AbortSignal): Promise<T> => {
      steps.push(name)
      return override === undefined ? result : override(signal)
    }
  }
  const injection: Injection = {
    ...(parts.holdMs !== undefined && { holdMs: parts.holdMs }),
    inject: step('inject', undefined, parts.inject),
    prove: step('prove', 'process 7 ended by SIGKILL', parts.prove),
    undo: step('undo', undefined, parts.undo),
  }
  const fault: FaultInjection = {
    name: 'kill',
    ...(losesLocks !== undefined && { losesLocks }),
    ...(losesItems !== undefined && { losesItems }),
    ...(tries !== undefined && { tries }),
    prepare: prepare ?? (() => injection),
  }
  const outcome = runFaultUntilProven(fault, {
    op: 'fault-1',
    random: createRandom(1),
    clock,
    record(entry) {
      const nowMs = clock.monotonicMs()
      const event = { seq: events.length + 1, tMono: nowMs, tWall: nowMs, ...entry }
      events.push(event)
      return event
    },
    signal: ending.signal,
  })
  // a rejection is awaited later
  outcome.catch(() => {})
  return { steps, events, clock, ending, outcome }
}

const recorded = ({ events }: FakeRun): readonly string[] =>
  events.map(({ type, proof, error }) => [type, proof ?? error ?? ''].join(' ').trim())

test('a fault is injected, proven and undone, and then recorded with its evidence', async () => {
  const run = start({ losesLocks: true })
  await expect(run.outcome).resolves.toMatchObject({ isProven: true, says: 'process 7 ended by SIGKILL' })
  expect(run.steps).toEqual(['inject', 'prove', 'undo'])
  const base = { process: 'nemesis', op: 'fault-1', f: 'fault', key: 'kill', losesLocks: true }
  expect(run.events).toMatchObject([
    { ...base, type: 'invoke' },
    { ...base, type: 'ok', proof: 'process 7 ended by SIGKILL' },
  ])
  expect(run.events[0]).not.toHaveProperty('losesItems')
})

test('losesItems is recorded if the fault has it', async () => {
  const run = start({ losesItems: true })
  await run.outcome
  expect(run.events.map(({ losesItems }) => losesItems)).toEqual([true, true])
})

test('a fault is held between its proof and its undo', async () => {
  const run = start({ holdMs: 500 })
  await run.clock.advance(499)
  expect(run.steps).toEqual(['inject', 'prove'])
  expect(recorded(run)).toEqual(['invoke'])
  await run.clock.advance(1)
  await run.outcome
  expect(run.steps).toEqual(['inject', 'prove', 'undo'])
})

describe('a fault that did not take effect is recorded as info', () => {
  test('when it cannot be prepared: nothing is injected, and nothing undone', async () => {
    const run = start({ prepare: fails('no primary') })
    await expect(run.outcome).resolves.toMatchObject({ isProven: false, says: 'no primary' })
    expect(run.steps).toEqual([])
    expect(recorded(run)).toEqual(['invoke', 'info no primary'])
  })

  test('when inject fails: it may have broken something, so it is undone', async () => {
    const run = start({ inject: fails('kubectl failed') })
    await expect(run.outcome).resolves.toMatchObject({ isProven: false, says: 'kubectl failed' })
    expect(run.steps).toEqual(['inject', 'undo'])
    expect(recorded(run)).toEqual(['invoke', 'info kubectl failed'])
  })

  test('when prove fails', async () => {
    const run = start({ prove: fails('it still responds') })
    await run.outcome
    expect(run.steps).toEqual(['inject', 'prove', 'undo'])
    expect(recorded(run)).toEqual(['invoke', 'info it still responds'])
  })

  test('when undo fails: the evidence and the failure are both recorded', async () => {
    const run = start({ undo: fails('no such container') })
    await expect(run.outcome).resolves.toMatchObject({ isProven: false })
    expect(recorded(run)).toEqual(['invoke', 'info process 7 ended by SIGKILL; the undo failed: no such container'])
  })

  test('when prove and undo fail: both failures are recorded', async () => {
    const run = start({ prove: fails('it still responds'), undo: fails('no such container') })
    await run.outcome
    expect(recorded(run)).toEqual(['invoke', 'info it still responds; the undo failed: no such container'])
  })

  test('when undo does not end: the deadline of the undo aborts, and the run continues', async () => {
    let deadline: AbortSignal | undefined
    const run = start({
      undo(signal) {
        deadline = signal
        return never()
      },
    })
    await run.clock.advance(UNDO_MS - 1)
    expect(deadline?.aborted).toBe(false)
    await run.clock.advance(1)
    await run.outcome
    expect(deadline?.aborted).toBe(true)
    expect(recorded(run)[1]).toContain(`the undo failed: it took longer than ${UNDO_MS} ms`)
  })
})

describe('a fault with several tries', () => {
  const failsTimes = (times: number): (() => Promise<string>) => {
    let left = times
    return async () => {
      if (left === 0) return 'process 8 ended by SIGKILL'
      left -= 1
      throw new Error('too late')
    }
  }
  const operations = ({ events }: FakeRun): readonly string[] => events.map(({ op, type }) => `${op} ${type}`)

  test('is prepared and injected again until it takes effect, and began with the first try', async () => {
    const run = start({ tries: 3, prove: failsTimes(1) })
    await expect(run.outcome).resolves.toMatchObject({ isProven: true, began: { op: 'fault-1' } })
    expect(run.steps).toEqual(['inject', 'prove', 'undo', 'inject', 'prove', 'undo'])
    expect(operations(run)).toEqual(['fault-1 invoke', 'fault-1 info', 'fault-1-2 invoke', 'fault-1-2 ok'])
  })

  test('is not proven after its last try', async () => {
    const run = start({ tries: 2, prove: failsTimes(2) })
    await expect(run.outcome).resolves.toMatchObject({ isProven: false, says: 'too late' })
    expect(operations(run)).toHaveLength(4)
  })
})

describe('when the run is aborted', () => {
  const reason = new Error('ended by SIGINT')

  test('during the preparation, nothing is injected', async () => {
    const { promise, resolve } = Promise.withResolvers<Injection>()
    const run = start({ prepare: () => promise })
    run.ending.abort(reason)
    resolve({ inject: fails('injected'), prove: fails('proven'), undo: fails('undone') })
    await expect(run.outcome).rejects.toBe(reason)
    expect(recorded(run)).toEqual(['invoke', 'info ended by SIGINT'])
  })

  test('between inject and prove, the fault is undone and recorded before the run ends', async () => {
    const run: FakeRun = start({
      inject: async () => run.ending.abort(reason),
      prove: async (signal) => {
        signal.throwIfAborted()
        return 'not reached'
      },
    })
    await expect(run.outcome).rejects.toBe(reason)
    expect(run.steps).toEqual(['inject', 'prove', 'undo'])
    expect(recorded(run)).toEqual(['invoke', 'info ended by SIGINT'])
  })

  test('while the fault is held, the rest of the hold is skipped', async () => {
    const run = start({ holdMs: 60_000 })
    await run.clock.advance(1)
    run.ending.abort(reason)
    await expect(run.outcome).rejects.toBe(reason)
    expect(run.steps).toEqual(['inject', 'prove', 'undo'])
  })

  test('the signal does not cancel the undo, and only shortens its deadline', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let deadline: AbortSignal | undefined
    const run = start({
      undo(signal) {
        deadline = signal
        return promise
      },
    })
    await run.clock.advance(1)
    run.ending.abort(reason)
    await run.clock.advance(ABORTED_UNDO_MS - 1)
    expect(deadline?.aborted).toBe(false)
    resolve()
    // the evidence is complete, so the fault counts
    await expect(run.outcome).resolves.toMatchObject({ isProven: true })
  })

  test('an undo that does not end has a short deadline', async () => {
    const run = start({ undo: never })
    await run.clock.advance(1)
    run.ending.abort(reason)
    await run.clock.advance(ABORTED_UNDO_MS)
    await expect(run.outcome).rejects.toBe(reason)
    expect(recorded(run)[1]).toContain(`it took longer than ${ABORTED_UNDO_MS} ms`)
  })
})

/** Runs one fault: injects it, proves it, holds it, undoes it, and records it in the history. */
import { reasonOf } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import type { Entry, Event } from '../history.ts'
import type { FaultInjection, Injection } from './fault.ts'

export interface FaultRunOptions {
  /** Identifies the fault in the history. */
  readonly op: string
  readonly random: Random
  readonly clock: Clock
  readonly record: (entry: Entry) => Event
  /** Ends the run early. An injected fault is undone first. */
  readonly signal: AbortSignal
}

export interface FaultOutcome {
  /** The event recorded just before the injection. */
  readonly began: Event
  /** True if the fault took effect and was undone. */
  readonly isProven: boolean
  /** The evidence, or the reason why there is none. */
  readonly says: string
  /** The failure, if it is not proven. */
  readonly cause?: unknown
}

/** Longest undo, in milliseconds. A Sentinel that was stopped takes part again after up to 45 s. */
export const UNDO_MS = 120_000
/** Longest undo after the run was aborted, in milliseconds. */
export const ABORTED_UNDO_MS = 20_000

/**
 * Records `invoke`, and `ok` with the evidence once the fault is undone. A fault that did not take effect, or whose
 * undo failed, is recorded as `info`: it may have broken something. Rejects only with the signal's reason.
 */
export async function runFault(fault: FaultInjection, options: FaultRunOptions): Promise<FaultOutcome> {
  const { op, random, record, signal } = options
  const { name: key, losesLocks = false, losesItems = false } = fault
  const base = { process: 'nemesis', op, f: 'fault', key, losesLocks, ...(losesItems && { losesItems }) } as const
  let began: Event | undefined
  const begin = (): Event => (began ??= record({ ...base, type: 'invoke' }))
  try {
    const injection = await fault.prepare(random, signal)
    signal.throwIfAborted()
    begin()
    const proof = await carryOut(injection, options)
    record({ ...base, type: 'ok', proof })
    return { began: begin(), isProven: true, says: proof }
  } catch (failure) {
    const error = reasonOf(failure)
    begin()
    record({ ...base, type: 'info', error })
    signal.throwIfAborted()
    return { began: begin(), isProven: false, says: error, cause: failure }
  }
}

/**
 * Runs the fault up to `tries` times, until it took effect. Each try has its own operation in the history. Resolves with
 * the last outcome, whose `began` is that of the first try. Rejects as `runFault`.
 */
export async function runFaultUntilProven(fault: FaultInjection, options: FaultRunOptions): Promise<FaultOutcome> {
  const { tries = 1 } = fault
  const first = await runFault(fault, options)
  let last = first
  for (let attempts = 1; attempts < tries && !last.isProven; attempts += 1) {
    last = await runFault(fault, { ...options, op: `${options.op}-${attempts + 1}` })
  }
  return { ...last, began: first.began }
}

async function carryOut(injection: Injection, options: FaultRunOptions): Promise<string> {
  const { clock, signal } = options
  const broken = await attempt(async () => {
    await injection.inject(signal)
    const proof = await injection.prove(signal)
    if (injection.holdMs !== undefined) await clock.sleep(injection.holdMs, signal)
    return proof
  })
  const undone = await attempt(() => undo(injection, options))
  if ('failure' in undone) {
    const before = 'failure' in broken ? reasonOf(broken.failure) : broken.value
    throw new Error(`${before}; the undo failed: ${reasonOf(undone.failure)}`, { cause: undone.failure })
  }
  if ('failure' in broken) throw broken.failure
  return broken.value
}

type Result<T> = { readonly value: T } | { readonly failure: unknown }

async function attempt<T>(step: () => Promise<T>): Promise<Result<T>> {
  try {
    return { value: await step() }
  } catch (failure) {
    return { failure }
  }
}

/** Rejects when the undo takes longer than UNDO_MS, or than ABORTED_UNDO_MS after an abort of the run. */
async function undo(injection: Injection, { clock, signal }: FaultRunOptions): Promise<void> {
  const deadline = new AbortController()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const end = (ms: number): void => {
    const failure = new Error(`it took longer than ${ms} ms`)
    deadline.abort(failure)
    reject(failure)
  }
  const limit = (ms: number): Timer => clock.timer(ms, () => end(ms), { keepsAlive: true })
  const timers = [limit(UNDO_MS)]
  const shorten = (): void => void timers.push(limit(ABORTED_UNDO_MS))
  if (signal.aborted) shorten()
  else signal.addEventListener('abort', shorten, { once: true })
  try {
    await Promise.race([injection.undo(deadline.signal), late])
  } finally {
    signal.removeEventListener('abort', shorten)
    for (const timer of timers) timer.cancel()
  }
}

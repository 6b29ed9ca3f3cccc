/**
 * A run: clients and faults together for a time, then everything is healed, what is open is sent again, and the history
 * is complete. Faults come one at a time in the order that the seed gives.
 */
import type { Clock } from '../std/clock.ts'
import type { Random } from '../std/random.ts'
import { type Coverage, faultKind } from './coverage.ts'
import type { FaultInjection } from './faults/fault.ts'
import { planOf } from './faults/order.ts'
import type { Entry, Event } from './history.ts'

/** Sends until the signal aborts; draws from the random source that it is given. */
export type Client = (random: Random, signal: AbortSignal) => Promise<void>

/** What is sent during a run, and what is sent after it. */
export interface Traffic {
  readonly clients: readonly Client[]
  /** Sends what is still open again, after everything is healed, until it is acknowledged or the signal aborts. */
  readonly settle: Client
}

export interface Run {
  readonly traffic: Traffic
  readonly faults: readonly FaultInjection[]
  /** Longest quiet between two faults, milliseconds. */
  readonly quietMs: number
  readonly trafficMs: number
  /** With it traffic ends as soon as all that is wanted was seen, and a fault that was seen is not repeated. */
  readonly until?: { readonly seen: Coverage; readonly wanted: readonly string[] }
  /** How long what is open is sent again before it is given up, milliseconds. */
  readonly settleMs: number
  readonly random: Random
  readonly clock: Clock
  readonly record: (entry: Entry) => Event
  /** Resolves when every part serves again. */
  readonly heal: (signal: AbortSignal) => Promise<void>
  /** Ends the run early; the history is then complete up to there. */
  readonly signal: AbortSignal
}

/** Resolves when the history is complete. Rejects with the signal's reason, and when it cannot be healed. */
export async function run(drill: Run): Promise<void> {
  const { signal, clock, random, traffic } = drill
  const ending = new AbortController()
  const sending = AbortSignal.any([ending.signal, signal])
  // every source is forked before the first client draws: the seed alone decides what each of them sends
  const draws = traffic.clients.map((client) => [client, random.fork()] as const)
  const clients = draws.map(([client, draw]) => client(draw, sending))
  try {
    await runFaults(drill)
  } finally {
    ending.abort(new Error('the time for traffic is over'))
    await Promise.all(clients)
  }
  signal.throwIfAborted()
  await drill.heal(signal)
  drill.record({ process: 'drill', op: 'healed', f: 'phase', type: 'info', key: 'healed' })
  const patience = new AbortController()
  const timer = clock.timer(drill.settleMs, () => patience.abort(new Error('enough')))
  try {
    await traffic.settle(random.fork(), AbortSignal.any([patience.signal, signal]))
  } finally {
    timer.cancel()
  }
  signal.throwIfAborted()
}

/** Faults until the time for traffic is over, or all has happened. */
async function runFaults(drill: Run): Promise<void> {
  const { clock, random, faults, signal, until } = drill
  const draws = random.fork()
  const endMs = clock.monotonicMs() + drill.trafficMs
  let count = 0
  for (const fault of planOf(faults, random.fork())) {
    await clock.sleep(draws.between(drill.quietMs / 4, drill.quietMs), signal)
    if (clock.monotonicMs() >= endMs || until?.seen.missing(until.wanted).length === 0) return
    if (until?.seen.has(faultKind(fault.name)) === true) continue
    await inject(drill, fault, { op: `fault-${++count}`, random: draws.fork() })
  }
  await clock.sleep(Math.max(0, endMs - clock.monotonicMs()), signal)
}

async function inject(
  drill: Run,
  fault: FaultInjection,
  { op, random }: { op: string; random: Random },
): Promise<void> {
  const { record, signal } = drill
  const { name: key, losesLocks = false, losesItems = false } = fault
  const base = { process: 'nemesis', op, f: 'fault', key, losesLocks, ...(losesItems && { losesItems }) } as const
  record({ ...base, type: 'invoke' })
  try {
    record({ ...base, type: 'ok', proof: await fault.inject(random, signal) })
  } catch (thrown) {
    // it may have struck and not been healed, or seen
    record({ ...base, type: 'info', error: thrown instanceof Error ? thrown.message : String(thrown) })
  }
}

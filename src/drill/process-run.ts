/**
 * Runs a drill on local processes: clients send while faults are injected one at a time, in the order that the seed
 * determines. Then the system recovers, requests of unknown outcome are sent again, and the history is complete.
 */
import type { Clock } from '../std/clock.ts'
import type { Random } from '../std/random.ts'
import { type Coverage, faultKind } from './coverage.ts'
import type { FaultInjection } from './faults/fault.ts'
import { planOf } from './faults/order.ts'
import { runFault } from './faults/run-fault.ts'
import type { Entry, Event } from './history.ts'

/** Sends until the signal aborts. Takes all random choices from the given source. */
export type Client = (random: Random, signal: AbortSignal) => Promise<void>

/** Sources of requests during a run and after it. */
export interface Traffic {
  readonly clients: readonly Client[]
  /** Runs after the recovery. Sends requests of unknown outcome again until they are acknowledged or the signal aborts. */
  readonly settle: Client
}

/** Parts and limits of a run. */
export interface Run {
  readonly traffic: Traffic
  readonly faults: readonly FaultInjection[]
  /** Longest time between two faults, in milliseconds. The shortest is a quarter of it. */
  readonly quietMs: number
  readonly trafficMs: number
  /** Ends the traffic as soon as all wanted kinds were seen. A fault that was seen is not repeated. */
  readonly until?: { readonly seen: Coverage; readonly wanted: readonly string[] }
  /** Longest time for requests of unknown outcome to be settled, in milliseconds. */
  readonly settleMs: number
  readonly random: Random
  readonly clock: Clock
  readonly record: (entry: Entry) => Event
  /** Resolves when every part serves again, or when `heal` gives up. */
  readonly heal: (signal: AbortSignal) => Promise<void>
  /** Ends the run early. The history is then complete up to that moment. */
  readonly signal: AbortSignal
}

/** Resolves when the history is complete. Rejects with the signal's reason, and if `heal` fails. */
export async function run(drill: Run): Promise<void> {
  const { signal, clock, random, traffic } = drill
  const ending = new AbortController()
  const sending = AbortSignal.any([ending.signal, signal])
  // every source is forked before the first client draws, so only the seed determines the requests of each client
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
  const deadline = new AbortController()
  const timer = clock.timer(drill.settleMs, () => deadline.abort(new Error('the time to settle is over')))
  try {
    await traffic.settle(random.fork(), AbortSignal.any([deadline.signal, signal]))
  } finally {
    timer.cancel()
  }
  signal.throwIfAborted()
}

/** Runs faults until the time for traffic is over, or all wanted kinds were seen. */
async function runFaults(drill: Run): Promise<void> {
  const { clock, random, faults, record, signal, until } = drill
  const draws = random.fork()
  const endMs = clock.monotonicMs() + drill.trafficMs
  let count = 0
  for (const fault of planOf(faults, random.fork())) {
    await clock.sleep(draws.between(drill.quietMs / 4, drill.quietMs), signal)
    if (clock.monotonicMs() >= endMs || until?.seen.missing(until.wanted).length === 0) return
    if (until?.seen.has(faultKind(fault.name)) === true) continue
    await runFault(fault, { op: `fault-${++count}`, random: draws.fork(), clock, record, signal })
  }
  await clock.sleep(Math.max(0, endMs - clock.monotonicMs()), signal)
}

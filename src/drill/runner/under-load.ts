/** Runs faults while a load and the canary record, and collects all records. Every drill on a cluster uses it. */
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import type { Event } from '../history.ts'
import type { DrillRecord } from '../report/judge.ts'
import type { Canary, DrillHome, Load, LoadOptions } from '../targets/home.ts'
import { createNemesis, type Nemesis } from './nemesis.ts'

/** The records of a load that the faults add to and read. */
export interface Records {
  readonly nemesis: Nemesis
  readonly load: Load
}

export interface UnderLoad<T> {
  readonly home: DrillHome
  readonly load: LoadOptions
  readonly say: (line: string) => void
  /** Injects the faults. */
  readonly work: (records: Records) => Promise<T>
  /** Returns true if the items are not to be sent again, because the drill was aborted. Default: false. */
  readonly isCutShort?: (result: T) => boolean
}

export interface Recorded<T> {
  readonly record: DrillRecord
  readonly result: T
}

/** Resolves with all records. Stops the load and the canary in any case. */
export async function runUnderLoad<T>(options: UnderLoad<T>, signal: AbortSignal): Promise<Recorded<T>> {
  const { home, say, work } = options
  await using scope = createScope()
  const load = await home.startLoad(options.load, signal)
  scope.defer(() => load[Symbol.asyncDispose]())
  const canary = await home.startCanary(signal)
  scope.defer(() => canary?.[Symbol.asyncDispose]())
  say(`k6 sends ${options.load.rate} iterations per second`)
  const nemesis = createNemesis(() => systemClock.wallMs())
  const result = await work({ nemesis, load })
  const isCutShort = options.isCutShort?.(result) ?? false
  const { collection } = options.load
  const record = await recordOf({ home, load, canary, nemesis, collection, isCutShort }, signal)
  say(`${record.load.length} events of the load, ${record.canary.length} of the canary`)
  return { record, result }
}

interface Recorders {
  readonly home: DrillHome
  readonly load: Load
  readonly canary: Canary | undefined
  readonly nemesis: Nemesis
  readonly collection: string
  readonly isCutShort: boolean
}

/** Stops the recorders, sends all items again, and reads the store before and after that. */
async function recordOf(
  { home, load, canary, nemesis, collection, isCutShort }: Recorders,
  signal: AbortSignal,
): Promise<DrillRecord> {
  const sent = await load.stop(signal)
  const seen = (await canary?.stop(signal)) ?? []
  const before = await home.readStore(collection, signal)
  if (isCutShort) return { load: sent, nemesis: nemesis.events, canary: seen, settle: [], before, after: before }
  const again = await settled(load, signal)
  const after = await home.readStore(collection, signal)
  return { load: sent, nemesis: nemesis.events, canary: seen, settle: again, before, after }
}

/** A settling that fails leaves a record without an end: a loss that is visible before it still counts. */
async function settled(load: Load, signal: AbortSignal): Promise<readonly Event[]> {
  try {
    return await load.settle(signal)
  } catch {
    signal.throwIfAborted()
    const nowMs = systemClock.wallMs()
    return [
      {
        seq: 1,
        process: 'settle',
        op: 'settle.lost',
        f: 'phase',
        type: 'info',
        key: 'load-began',
        tMono: nowMs,
        tWall: nowMs,
      },
    ]
  }
}

/** Time without a failed write that ends a case, in milliseconds. */
const QUIET_MS = 5_000
/** Longest wait for that time after the release is healthy, in milliseconds. Writes that fail later are a finding. */
const SETTLING_MS = 60_000

/**
 * Waits until no write has failed for some seconds. A healthy release may still refuse writes, for example while a
 * circuit breaker is open, and these belong to the fault before and not to the next one.
 */
export async function untilQuiet(load: Load, signal: AbortSignal): Promise<void> {
  const endMs = systemClock.monotonicMs() + SETTLING_MS
  await systemClock.sleep(QUIET_MS, signal)
  while ((await load.since(systemClock.wallMs() - QUIET_MS, signal)).failed > 0 && systemClock.monotonicMs() < endMs) {
    await systemClock.sleep(1_000, signal)
  }
}

/** Ends a drill early: on request, when too many requests fail, or when other clients are harmed. */
import { systemClock } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'
import type { DrillSpec } from '../spec/schema.ts'
import type { Load } from '../targets/home.ts'
import type { Bystanders } from './bystanders.ts'

/** The reason of an abort: CamelCase for programs, and a sentence. */
export class DrillAborted extends Error {
  readonly reason: string

  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface Watch {
  readonly abort: DrillSpec['abort']
  readonly load: Load
  /** Absent if their errors are not counted. */
  readonly bystanders?: Bystanders
  /** Aborts the drill. */
  readonly end: (reason: DrillAborted) => void
  /** Errors of other clients so far. */
  readonly count: (errors: number) => void
}

const EVERY_MS = 2_000
const FOR_MS = 60_000
/** Requests in the window below which no rate is computed. */
const LEAST_REQUESTS = 10

/** Watches until the signal aborts. A reading that fails is left out. */
export async function watchRules(watch: Watch, signal: AbortSignal): Promise<void> {
  const startMs = systemClock.wallMs()
  const errorsOfOthers = createOthers(watch)
  while (!signal.aborted) {
    await systemClock.sleep(EVERY_MS, signal).catch(() => undefined)
    if (signal.aborted) return
    try {
      await checkRate(watch, startMs, signal)
      await checkOthers(watch, await errorsOfOthers(signal))
    } catch {
      // the load or a replica cannot be read at the moment
    }
  }
}

async function checkRate({ abort, load, end }: Watch, startMs: number, signal: AbortSignal): Promise<void> {
  const limit = abort?.errorRate
  if (limit === undefined) return
  const forMs = parseDurationMs(abort?.for ?? '') ?? FOR_MS
  const nowMs = systemClock.wallMs()
  if (nowMs - startMs < forMs) return
  const { requests, failed } = await load.since(nowMs - forMs, signal)
  if (requests < LEAST_REQUESTS || failed * 100 < limit * requests) return
  const share = Math.round((failed * 100) / requests)
  end(
    new DrillAborted(
      'ErrorRate',
      `${share} % of the requests of the load failed for ${forMs / 1_000} s, the limit is ${limit} %`,
    ),
  )
}

/** Returns a function that counts the errors of other clients: all errors without those of the load. */
function createOthers({ load, bystanders }: Watch): (signal: AbortSignal) => Promise<number | undefined> {
  let readMs = systemClock.wallMs()
  let own = 0
  let before = Number.POSITIVE_INFINITY
  return async (signal) => {
    if (bystanders === undefined) return undefined
    const all = await bystanders.failed(signal)
    const nowMs = systemClock.wallMs()
    own += (await load.since(readMs, signal)).refused
    readMs = nowMs
    const others = Math.max(0, all - own)
    // a replica counts a response before k6 has written it, so only what two readings show is counted
    const sure = Math.min(others, before)
    before = others
    return sure
  }
}

async function checkOthers({ abort, end, count }: Watch, errors: number | undefined): Promise<void> {
  if (errors === undefined) return
  count(errors)
  const limit = abort?.bystanders?.errors
  if (limit === undefined || errors < limit) return
  end(new DrillAborted('Bystanders', `${errors} requests of other clients failed, the limit is ${limit}`))
}

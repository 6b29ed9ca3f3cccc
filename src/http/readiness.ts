/**
 * Readiness: whether the service takes requests and its store accepts writes. Probes check at once. A scrape uses the last
 * result if it is recent, so that scrapes add no load to a store that is probed anyway.
 */
import { IngotError, toIngotError } from '../errors/error.ts'
import type { StoreReader } from '../items/store.ts'
import type { Clock } from '../std/clock.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export interface Readiness {
  /** Resolves if the service is ready. Rejects with SHUTTING_DOWN, or with the error of the store. */
  check(): Promise<void>
}

/** Deadline for the check of the store, in milliseconds. */
const CHECK_MS = 2_000

/** Age up to which a scrape uses the last result, in milliseconds. It is the usual period of probes. */
const RECENT_MS = 5_000

interface ReadinessDeps {
  readonly store: Pick<StoreReader, 'check'>
  readonly clock: Clock
  readonly metrics: Metrics
  /** Aborts when the service is about to end. */
  readonly leaving: AbortSignal
  /** Called with the result of each check of the store: the code of its error, or undefined. */
  readonly onStoreCheck: (code: string | undefined) => void
}

/** Registers `ingot_ready`, `ingot_draining` and `ingot_store_up`. Throws on a second call with the same registry. */
export function createReadiness(deps: ReadinessDeps): Readiness {
  const { clock, leaving, metrics } = deps
  let last: { readonly up: boolean; readonly atMs: number } | undefined
  let running: Promise<void> | undefined

  async function checkOnce(): Promise<void> {
    let up = false
    try {
      await checkInTime(deps)
      up = true
    } finally {
      last = { up, atMs: clock.monotonicMs() }
      running = undefined
    }
  }

  function checkStore(): Promise<void> {
    running ??= checkOnce()
    return running
  }

  async function isUp(): Promise<boolean> {
    if (last === undefined || clock.monotonicMs() - last.atMs > RECENT_MS) await checkStore().catch(() => {})
    return last?.up ?? false
  }

  metrics.gaugeOf(
    { name: 'ingot_store_up', help: '1 if the store accepted a write check within its deadline.' },
    async () => Number(await isUp()),
  )
  metrics.gaugeOf({ name: 'ingot_ready', help: '1 if the service takes requests, like /readyz.' }, async () =>
    Number(!leaving.aborted && (await isUp())),
  )
  metrics.gaugeOf({ name: 'ingot_draining', help: '1 from the start of the shutdown until the process ends.' }, () =>
    Number(leaving.aborted),
  )
  return {
    async check() {
      if (leaving.aborted) throw new IngotError('SHUTTING_DOWN', 'the service is about to end')
      await checkStore()
    },
  }
}

async function checkInTime({ store, clock, onStoreCheck }: ReadinessDeps): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.timer(CHECK_MS, () => reject(new IngotError('STORE_UNAVAILABLE', 'the store does not respond')))
  try {
    await Promise.race([store.check(), late])
    onStoreCheck(undefined)
  } catch (thrown) {
    onStoreCheck(toIngotError(thrown).code)
    throw thrown
  } finally {
    timer.cancel()
  }
}

/** Follows a drill until its end. */
import { ERRORS, IngotError, reasonOf } from '../../errors/error.ts'
import { type DrillView, drillView, isFinished } from './drill.ts'
import { type DrillPlace, readDrill } from './read.ts'

export interface Follower {
  /** Called with each state that differs from the one before, the first included. */
  readonly onChange: (before: DrillView | undefined, now: DrillView) => void
  /** Called once for each series of failures: a drill may break the way to the API server for a while. */
  readonly onTrouble: (reason: string) => void
}

const EVERY_MS = 1_000

/** Resolves with the finished drill. Rejects with DRILL_NOT_FOUND when it is deleted, and with the signal's reason. */
export async function followDrill(
  place: DrillPlace,
  name: string,
  { onChange, onTrouble }: Follower,
  signal: AbortSignal,
): Promise<DrillView> {
  let last: DrillView | undefined
  let isTroubled = false
  for (;;) {
    const read = await readOrTrouble(place, name, signal)
    if (typeof read === 'string') {
      if (!isTroubled) onTrouble(read)
    } else {
      if (JSON.stringify(read) !== JSON.stringify(last)) onChange(last, read)
      if (isFinished(read)) return read
      last = read
    }
    isTroubled = typeof read === 'string'
    await place.clock.sleep(EVERY_MS, signal)
  }
}

/** Resolves with the reason of a failure that may pass. */
async function readOrTrouble(place: DrillPlace, name: string, signal: AbortSignal): Promise<DrillView | string> {
  try {
    return drillView(await readDrill(place, name, signal))
  } catch (failure) {
    signal.throwIfAborted()
    if (failure instanceof IngotError && ERRORS[failure.code].retryable) return reasonOf(failure)
    throw failure
  }
}

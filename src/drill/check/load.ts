/** The promises about a run under an open load: it was whole, and the service answered again in time. */
import type { Event } from '../history.ts'
import { eventsOf, operationsOf } from './operations.ts'
import { unsettled } from './run.ts'
import { type Checker, type Finding, findingOf, inconclusive } from './verdict.ts'

/** Whether a load generator took part. */
export function hasLoad(history: readonly Event[]): boolean {
  return history.some(({ f, key }) => f === 'phase' && key === 'load-began')
}

/**
 * Every run of the generator was recorded to its end, and it made every arrival that it planned: a generator that waits
 * for a service that stalls hides the stall.
 */
export function loadWhole(history: readonly Event[]): Finding {
  const phases = history.filter(({ f }) => f === 'phase')
  const [began, ended] = ['load-began', 'load-ended'].map((key) => phases.filter((phase) => phase.key === key))
  const cut = phases.filter(({ key }) => key === 'load-cut')
  const dropped = [...(ended ?? []), ...cut].reduce((sum, { value }) => sum + Number(value ?? 0), 0)
  const figures = { runs: began?.length ?? 0, dropped }
  if ((ended?.length ?? 0) < figures.runs) return inconclusive('the record of the load was cut before its end', figures)
  if (dropped > 0) return inconclusive(`${dropped} arrivals were not made: the load was not open`, figures)
  return findingOf([], figures)
}

/**
 * The first save that is sent after everything is healed and acknowledged is so within the bound, and what nobody knew
 * the outcome of is sent again and acknowledged.
 */
export function recoveryUnderLoad(boundMs: number): Checker {
  return (history) => {
    const healed = history.findLast(({ f, key }) => f === 'phase' && key === 'healed')
    if (healed === undefined) return inconclusive('the history does not say when everything was healed')
    const after = operationsOf(history, 'save').filter(({ invoke }) => invoke.seq > healed.seq)
    if (after.length === 0) return inconclusive('nothing was sent after everything was healed')
    const again = new Set(after.map(({ invoke }) => invoke.key))
    const open = unsettled(history)
    const unsent = open.filter(({ invoke }) => !again.has(invoke.key))
    if (unsent.length > 0) return inconclusive(`${unsent.length} contents of unknown outcome were not sent again`)
    const good = after.flatMap(({ outcome, completion }) => (outcome === 'ok' && completion ? [completion.tMono] : []))
    const recoveredMs = good.length === 0 ? Number.POSITIVE_INFINITY : least(good) - healed.tMono
    const says = `nothing was acknowledged within ${boundMs} ms of the end of all faults`
    const late = (recoveredMs <= boundMs ? [] : after.slice(0, 1)).map((op) => ({ says, events: eventsOf([op]) }))
    const unanswered = open.map((op) => ({
      says: `content ${op.invoke.key} was sent again after all faults and never acknowledged`,
      events: eventsOf([op]),
    }))
    const figures = good.length === 0 ? {} : { recoveredMs: Math.round(recoveredMs) }
    return findingOf([...late, ...unanswered], figures)
  }
}

function least(values: readonly number[]): number {
  return values.reduce((lowest, value) => Math.min(lowest, value), Number.POSITIVE_INFINITY)
}

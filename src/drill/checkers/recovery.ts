/** The promises about the time after the faults: the service responds in time, and no outcome stays unknown. */
import type { Event } from '../history.ts'
import { byContent, eventsOf, type Operation, operationsOf, phasesOf } from './operations.ts'
import { greatest, least } from './responses.ts'
import { type Checker, type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

/**
 * Returns a checker that items of unknown outcome are sent again after the recovery, and acknowledged within the bound
 * in milliseconds.
 */
export function recovery(boundMs: number): Checker {
  return afterHealing(({ healed, saves, open, goodMs }) => {
    if (goodMs.length === 0) {
      return findingOf([{ says: 'nothing was acknowledged after everything was healed', events: eventsOf(saves) }], {})
    }
    const late = saves.filter(({ outcome, completion }) => outcome === 'ok' && isLate(completion, healed, boundMs))
    const examples = [...open, ...late].map(
      (op): CounterExample => ({
        says: `content ${op.invoke.key} was not acknowledged within ${boundMs} ms of the end of all faults`,
        events: eventsOf([op]),
      }),
    )
    const lastMs = greatest(saves.flatMap(({ completion }) => completion?.tMono ?? []))
    return findingOf(examples, { recoveredMs: Math.round(lastMs - healed.tMono) })
  })
}

function isLate(completion: Event | undefined, healed: Event, boundMs: number): boolean {
  return completion !== undefined && completion.tMono - healed.tMono > boundMs
}

/**
 * Returns a checker that a save is acknowledged within the bound after the recovery, in milliseconds, and that items of
 * unknown outcome are sent again and acknowledged.
 */
export function recoveryUnderLoad(boundMs: number): Checker {
  return afterHealing(({ healed, saves, open, goodMs }) => {
    const recoveredMs = least(goodMs) - healed.tMono
    const says = `nothing was acknowledged within ${boundMs} ms of the end of all faults`
    const late = (recoveredMs <= boundMs ? [] : saves.slice(0, 1)).map((op) => ({ says, events: eventsOf([op]) }))
    const unanswered = open.map((op) => ({
      says: `content ${op.invoke.key} was sent again after all faults and never acknowledged`,
      events: eventsOf([op]),
    }))
    return findingOf([...late, ...unanswered], goodMs.length === 0 ? {} : { recoveredMs: Math.round(recoveredMs) })
  })
}

interface HealedHistory {
  /** The event after which no fault is active. */
  readonly healed: Event
  /** Saves that began after `healed`; at least one. */
  readonly saves: readonly Operation[]
  /** Times of their acknowledgements, in milliseconds. */
  readonly goodMs: readonly number[]
  /**
   * The last attempt for each content whose outcome was never known. It is one of `saves`, unless none was
   * acknowledged.
   */
  readonly open: readonly Operation[]
}

function afterHealing(judge: (aftermath: HealedHistory) => Finding): Checker {
  return (history) => {
    const healed = phasesOf(history, 'healed').at(-1)
    if (healed === undefined) return inconclusive('the history does not say when everything was healed')
    const saves = operationsOf(history, 'save').filter(({ invoke }) => invoke.seq > healed.seq)
    if (saves.length === 0) return inconclusive('nothing was sent after everything was healed')
    const goodMs = saves.flatMap(({ outcome, completion }) =>
      outcome === 'ok' && completion !== undefined ? completion.tMono : [],
    )
    const open = unsettled(history)
    const isCut = phasesOf(history, 'load-cut').length > 0
    if (isCut && (goodMs.length === 0 || open.length > 0)) {
      return inconclusive('the record of the load was truncated: a request without a response may have had one')
    }
    const again = new Set(saves.map(({ invoke }) => invoke.key))
    const unsent = open.filter(({ invoke }) => !again.has(invoke.key))
    // without any acknowledgement the other contents were not sent again
    if (unsent.length > 0 && goodMs.length > 0) {
      return inconclusive(`${unsent.length} contents of unknown outcome were not sent again`)
    }
    return judge({ healed, saves, goodMs, open })
  }
}

function unsettled(history: readonly Event[]): readonly Operation[] {
  return [...byContent(history).values()].flatMap((operations) => {
    const saves = operations.filter(({ invoke }) => invoke.f === 'save')
    const isOpen = saves.some(({ outcome }) => outcome === 'info') && !saves.some(({ outcome }) => outcome === 'ok')
    return isOpen ? saves.slice(-1) : []
  })
}

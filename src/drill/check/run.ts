/** The promises about the run: it recovered in time, and there was something to recover from. */
import type { Event } from '../history.ts'
import { byContent, eventsOf, type Operation, operationsOf } from './operations.ts'
import { type Checker, type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

/** After everything is healed, what nobody knew the outcome of is sent again and answered within the bound. */
export function recovery(boundMs: number): Checker {
  return (history) => {
    const healed = history.findLast(({ f, key }) => f === 'phase' && key === 'healed')
    if (healed === undefined) return inconclusive('the history does not say when everything was healed')
    const saves = operationsOf(history, 'save').filter(({ invoke }) => invoke.seq > healed.seq)
    if (!saves.some(({ outcome }) => outcome === 'ok')) {
      return saves.length === 0
        ? inconclusive('nothing was sent after everything was healed')
        : findingOf([{ says: 'nothing was answered after everything was healed', events: eventsOf(saves) }], {})
    }
    const open = unsettled(history)
    const unsent = open.filter(({ invoke }) => !saves.some((save) => save.invoke.key === invoke.key))
    if (unsent.length > 0) return inconclusive(`${unsent.length} contents of unknown outcome were not sent again`)
    const late = saves.filter((op) => isLate(op, healed, boundMs))
    const examples = [...open, ...late].map(
      (op): CounterExample => ({
        says: `content ${op.invoke.key} had no answer within ${boundMs} ms of the end of all faults`,
        events: eventsOf([op]),
      }),
    )
    const answered = saves.flatMap(({ completion }) =>
      completion === undefined ? [] : completion.tMono - healed.tMono,
    )
    return findingOf(examples, { recoveredMs: Math.round(Math.max(...answered)) })
  }
}

/** For each content whose save nobody ever answered, its last attempt. */
export function unsettled(history: readonly Event[]): readonly Operation[] {
  return [...byContent(history).values()].flatMap((operations) => {
    const saves = operations.filter(({ invoke }) => invoke.f === 'save')
    const isOpen = saves.some(({ outcome }) => outcome === 'info') && !saves.some(({ outcome }) => outcome === 'ok')
    return isOpen ? saves.slice(-1) : []
  })
}

function isLate({ completion, outcome }: Operation, healed: Event, boundMs: number): boolean {
  return outcome === 'ok' && completion !== undefined && completion.tMono - healed.tMono > boundMs
}

/** A run in which no fault happened proves nothing; nor does one in which a kind of fault never came about. */
export function faultsHappened(history: readonly Event[]): Finding {
  const faults = operationsOf(history, 'fault')
  const happened = faults.filter(({ outcome, completion }) => outcome === 'ok' && (completion?.proof ?? '') !== '')
  if (happened.length === 0) return inconclusive('no fault is proven to have happened')
  const counts = Object.groupBy(happened, ({ invoke }) => invoke.key)
  const never = new Set(faults.map(({ invoke }) => invoke.key).filter((key) => counts[key] === undefined))
  const figures = Object.fromEntries(Object.entries(counts).map(([key, of]) => [key, of?.length ?? 0]))
  if (never.size > 0) return inconclusive(`tried, and never came about: ${[...never].join(', ')}`, figures)
  return findingOf([], figures)
}

/** The promises about locks: one holder at a time, and a store that compares fences never accepts a stale write. */
import type { Event } from '../history.ts'
import type { FinalStore, RegisterRow } from './final-store.ts'
import { eventsOf, type Operation, operationsOf } from './operations.ts'
import { type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

/**
 * Checks that fences rise in the register's commit order, that versions rise by one (no update is lost), that every
 * acknowledged write is present, and that every present write was requested. A run in which a holder was stopped past
 * its lease and no stale write was refused is inconclusive about fences.
 */
export function fencesRise(history: readonly Event[], store: FinalStore): Finding {
  const writes = operationsOf(history, 'write')
  const rows = store.register ?? []
  if (rows.length === 0 || writes.length === 0) return inconclusive('nothing was written to the register')
  const refused = [...writes, ...operationsOf(history, 'look')].filter(({ outcome }) => outcome === 'fail').length
  const examples = [
    ...[...Map.groupBy(rows, (row) => row.key).values()].flatMap((ofKey) => disorder(ofKey, writes)),
    ...missing(rows, writes),
    ...unasked(rows, writes),
  ]
  const figures = { writes: rows.length, refused }
  if (examples.length === 0 && refused === 0 && history.some(isStoppedHolder)) {
    return inconclusive('a holder was stopped past its lease, and no stale write was refused', figures)
  }
  return findingOf(examples, figures)
}

function isStoppedHolder({ f, type, key }: Event): boolean {
  return f === 'fault' && type === 'ok' && key === 'holder-stop'
}

const nameOf = ({ key, value, fence }: Pick<Event, 'key' | 'value' | 'fence'>): string =>
  `${key} version ${value} under fence ${fence}`

/** Returns neighbours in commit order of which the later one has a lower fence or is not the next version. */
function disorder(rows: readonly RegisterRow[], writes: readonly Operation[]): readonly CounterExample[] {
  return rows.flatMap((row, index): readonly CounterExample[] => {
    const before = rows[index - 1] ?? { key: row.key, value: '0', fence: '0' }
    const rises = BigInt(row.fence) >= BigInt(before.fence) && BigInt(row.value) === BigInt(before.value) + 1n
    if (rises) return []
    const both = new Set([nameOf(before), nameOf(row)])
    const involved = writes.filter(({ invoke }) => both.has(nameOf(invoke)))
    return [{ says: `the register accepted ${nameOf(row)} after ${nameOf(before)}`, events: eventsOf(involved) }]
  })
}

function missing(rows: readonly RegisterRow[], writes: readonly Operation[]): readonly CounterExample[] {
  const there = new Set(rows.map(nameOf))
  return writes
    .filter(({ invoke, outcome }) => outcome === 'ok' && !there.has(nameOf(invoke)))
    .map((op) => ({ says: `the acknowledged write of ${nameOf(op.invoke)} is lost`, events: eventsOf([op]) }))
}

function unasked(rows: readonly RegisterRow[], writes: readonly Operation[]): readonly CounterExample[] {
  const requested = new Set(writes.filter(({ outcome }) => outcome !== 'fail').map(({ invoke }) => nameOf(invoke)))
  return rows
    .filter((row) => !requested.has(nameOf(row)))
    .map((row) => ({ says: `the register accepted ${nameOf(row)}, which was refused or never requested`, events: [] }))
}

/** The time for which a lock was certainly held, `from` until `until`, in milliseconds of the history's clock. */
export interface Hold {
  readonly operation: Operation
  readonly release: Event
  readonly from: number
  readonly until: number
}

/**
 * Checks that no key has two holders at once, by the machine's clock. A hold lasts from the grant to the last moment at
 * which its holder knew that the lease was valid. Two holders are expected around a fault that loses locks: such
 * overlaps are counted, and fences must have refused the stale writes.
 */
export function oneHolder(history: readonly Event[]): Finding {
  const holds = holdsOf(history)
  if (holds.length === 0) return inconclusive('no lock was held')
  const losses = operationsOf(history, 'fault').filter(({ invoke }) => invoke.losesLocks === true)
  let excused = 0
  const examples = overlapsOf(holds).flatMap(({ key, first, second, ms, events }): readonly CounterExample[] => {
    if (losses.some((loss) => mayFallBetween(loss, first.from, second.from))) {
      excused++
      return []
    }
    return [{ says: `lock ${key} had two holders for ${ms} ms`, events }]
  })
  return findingOf(examples, { holds: holds.length, overlapsAfterLoss: excused })
}

/**
 * Returns true if the fault may have taken effect in the span. It takes effect at some moment between its invocation
 * and its completion.
 */
function mayFallBetween({ invoke, completion, outcome }: Operation, from: number, until: number): boolean {
  return outcome !== 'fail' && invoke.tMono <= until && (completion?.tMono ?? Number.POSITIVE_INFINITY) >= from
}

/** Returns the holds of all acquisitions with a release. */
export function holdsOf(history: readonly Event[]): readonly Hold[] {
  const releases = new Map(history.filter(({ f }) => f === 'release').map((event) => [event.op, event]))
  return operationsOf(history, 'acquire').flatMap((operation): readonly Hold[] => {
    const { completion, outcome, invoke } = operation
    const release = releases.get(invoke.op)
    if (outcome !== 'ok' || completion === undefined || release?.untilMono === undefined) return []
    return [{ operation, release, from: completion.tMono, until: release.untilMono }]
  })
}

/** Two holds of one lock at the same time. */
export interface Overlap {
  readonly key: string
  readonly first: Hold
  readonly second: Hold
  /** Minimum duration, in milliseconds. */
  readonly ms: number
  readonly events: readonly Event[]
}

/** Returns the overlaps among holds of the same key. */
export function overlapsOf(holds: readonly Hold[]): readonly Overlap[] {
  const byKey = [...Map.groupBy(holds, ({ operation }) => operation.invoke.key)]
  return byKey.flatMap(([key, ofKey]) =>
    pairs(ofKey).map(([first, second]) => {
      const events = [...eventsOf([first.operation, second.operation]), first.release, second.release]
      const ms = Math.round(Math.min(first.until, second.until) - second.from)
      return { key, first, second, ms, events: events.toSorted((a, b) => a.seq - b.seq) }
    }),
  )
}

/** Returns the overlapping holds of one key. Each later hold is paired with the earlier one that ends last. */
function pairs(holds: readonly Hold[]): readonly (readonly [Hold, Hold])[] {
  const found: [Hold, Hold][] = []
  let reaching: Hold | undefined
  for (const hold of holds.toSorted((a, b) => a.from - b.from)) {
    if (reaching !== undefined && hold.from < Math.min(reaching.until, hold.until)) found.push([reaching, hold])
    if (reaching === undefined || hold.until > reaching.until) reaching = hold
  }
  return found
}

/**
 * Judges Redis itself by the canary's record: numbered writes and grants. A store with a unique index hides losses of
 * Redis. Redis replicates asynchronously, so a loss in an unplanned failover is only a figure. `forbid` is for faults
 * that must lose nothing, such as a handover before the primary shuts down.
 */
import type { Event } from '../history.ts'
import { holdsOf, overlapsOf } from './locks.ts'
import { eventsOf, type Operation, operationsOf, phasesOf } from './operations.ts'
import { type Checker, type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

export type RedisLoss = 'allow' | 'forbid'

/** Key prefix of the canary's locks. */
export const CANARY_LOCKS = 'canary/'

/** Returns true if a canary took part. */
export function hasCanary(history: readonly Event[]): boolean {
  return phasesOf(history, 'canary-began').length > 0
}

/** Returns a checker that every write acknowledged by Redis is present at the end. */
export function canaryWrites(loss: RedisLoss): Checker {
  return (history) => {
    const writes = operationsOf(history, 'set')
    const acknowledged = writes.filter(({ outcome }) => outcome === 'ok')
    if (acknowledged.length === 0) return inconclusive('Redis acknowledged no write of the canary')
    const looks = lastLookups(history)
    const unread = acknowledged.filter((write) => !isReadAfter(write, looks.get(write.invoke.key)))
    if (unread.length > 0) return inconclusive(`${unread.length} writes have no lookup at the end`)
    const there = new Map(
      [...looks].map(([key, { completion }]) => [key, new Set((completion?.value ?? '').split(','))]),
    )
    const isThere = ({ invoke }: Operation): boolean => there.get(invoke.key)?.has(invoke.value ?? '') ?? false
    const lost = acknowledged.filter((write) => !isThere(write))
    const figures = {
      acknowledged: acknowledged.length,
      unknown: writes.filter(({ outcome }) => outcome !== 'ok').length,
      lost: lost.length,
    }
    return judged(lost.map(lossOf), loss, figures)
  }
}

function lossOf(write: Operation): CounterExample {
  const { key, value } = write.invoke
  return { says: `number ${value} of ${key} was acknowledged by Redis and is lost`, events: eventsOf([write]) }
}

/** Returns the last completed lookup of each key. */
function lastLookups(history: readonly Event[]): ReadonlyMap<string, Operation> {
  const looks = operationsOf(history, 'members').filter(({ outcome }) => outcome === 'ok')
  return new Map(looks.map((look) => [look.invoke.key, look]))
}

function isReadAfter({ completion }: Operation, look: Operation | undefined): boolean {
  return look !== undefined && completion !== undefined && completion.seq < look.invoke.seq
}

/**
 * Returns a checker of the canary's locks: no two grants of a lock overlap, and a grant requested after the response to
 * another one has a greater fence.
 */
export function canaryGrants(loss: RedisLoss): Checker {
  return (history) => {
    const holds = holdsOf(history).filter(({ operation }) => operation.invoke.key.startsWith(CANARY_LOCKS))
    if (holds.length === 0) return inconclusive('the canary held no lock')
    const overlapping = overlapsOf(holds).map(
      ({ key, ms, events }): CounterExample => ({
        says: `lock ${key} was granted twice at once, for ${ms} ms`,
        events,
      }),
    )
    const granted = operationsOf(history, 'acquire').filter(
      ({ invoke, outcome }) => outcome === 'ok' && invoke.key.startsWith(CANARY_LOCKS),
    )
    const stale = [...Map.groupBy(granted, ({ invoke }) => invoke.key).values()].flatMap(loweredFences)
    const figures = { grants: granted.length, overlapping: overlapping.length, fencesFallen: stale.length }
    return judged([...overlapping, ...stale], loss, figures)
  }
}

/**
 * Returns counter-examples for grants whose fence is not greater than that of a grant received before they were
 * requested.
 */
function loweredFences(grants: readonly Operation[]): readonly CounterExample[] {
  const byEnd = grants.toSorted((a, b) => endOf(a) - endOf(b))
  const examples: CounterExample[] = []
  let highest: Operation | undefined
  let next = 0
  for (const grant of grants.toSorted((a, b) => a.invoke.seq - b.invoke.seq)) {
    for (; next < byEnd.length; next++) {
      const ended = byEnd[next]
      if (ended === undefined || endOf(ended) > grant.invoke.seq) break
      if (highest === undefined || fenceOf(ended) > fenceOf(highest)) highest = ended
    }
    if (highest === undefined || fenceOf(grant) > fenceOf(highest)) continue
    const says = `lock ${grant.invoke.key} was granted under fence ${fenceOf(grant)} after ${fenceOf(highest)}`
    examples.push({ says, events: eventsOf([highest, grant]) })
  }
  return examples
}

const endOf = ({ completion }: Operation): number => completion?.seq ?? Number.POSITIVE_INFINITY
const fenceOf = ({ completion }: Operation): bigint => BigInt(completion?.fence ?? '0')

function judged(
  examples: readonly CounterExample[],
  loss: RedisLoss,
  figures: Readonly<Record<string, number>>,
): Finding {
  return findingOf(loss === 'forbid' ? examples : [], figures)
}

/** Checks that the canary's record is complete. Losses after a truncated record are unknown. */
export function canaryComplete(history: readonly Event[]): Finding {
  const runs = phasesOf(history, 'canary-began').length
  const isCut = phasesOf(history, 'canary-ended').length < runs
  return isCut ? inconclusive('the record of the canary was truncated before its end') : findingOf([], { runs })
}

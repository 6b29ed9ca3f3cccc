/**
 * Derives the periods in which two servers both accepted writes, from the probes that a prober wrote to each of them. A
 * probe is one event: it was sent at `tMono`, and its outcome was known at `untilMono`.
 */
import type { Event } from '../history.ts'
import { type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

/** A span of the history's clock, in milliseconds. */
export interface Span {
  readonly from: number
  readonly until: number
}

/** A period in which two servers both accepted writes. */
export interface Overlap {
  readonly servers: readonly [string, string]
  /** Contains the beginning and the end of the period. */
  readonly outer: Span
  /**
   * The period certainly covers this span. It is empty (`from` after `until`) when only single probes show the overlap.
   */
  readonly inner: Span
  readonly events: readonly Event[]
}

/** Successive probes of one server that were all accepted. */
interface Run {
  readonly server: string
  readonly outer: Span
  readonly inner: Span
  readonly first: Event
  readonly last: Event
}

/**
 * Returns the overlaps in the order of their beginning. A server accepts writes from its first accepted probe until the
 * first one that was refused or had no response. The outer span extends `slackMs` beyond the probes around it.
 */
export function overlapsOfPrimaries(history: readonly Event[], slackMs: number): readonly Overlap[] {
  const probes = history.filter(({ f }) => f === 'probe')
  const byServer = Map.groupBy(probes, ({ key }) => key)
  const runs = [...byServer].flatMap(([server, ofServer]) => runsOf(server, ofServer, slackMs))
  const overlaps: Overlap[] = []
  let active: Run[] = []
  for (const run of runs.toSorted((a, b) => a.outer.from - b.outer.from)) {
    active = active.filter((other) => other.outer.until >= run.outer.from)
    for (const other of active) if (other.server !== run.server) overlaps.push(overlapOf(other, run))
    active.push(run)
  }
  return overlaps
}

function runsOf(server: string, probes: readonly Event[], slackMs: number): readonly Run[] {
  const runs: Run[] = []
  const sorted = probes.toSorted((a, b) => a.tMono - b.tMono)
  let first = 0
  for (const [index, probe] of sorted.entries()) {
    if (probe.type !== 'ok') {
      first = index + 1
      continue
    }
    const after = sorted[index + 1]
    const begin = sorted[first]
    if (after?.type === 'ok' || begin === undefined) continue
    const from = startAfter(sorted[first - 1], begin) - slackMs
    const until = (after === undefined ? endOf(probe) : endBefore(after)) + slackMs
    const inner = { from: endOf(begin), until: probe.tMono }
    runs.push({ server, first: begin, last: probe, outer: { from, until }, inner })
  }
  return runs
}

const endOf = (probe: Event): number => probe.untilMono ?? probe.tMono

/**
 * Returns when the server may have begun to accept writes: from a probe that it refused, or after one without a
 * response.
 */
function startAfter(before: Event | undefined, first: Event): number {
  if (before === undefined) return first.tMono
  return Math.min(first.tMono, before.type === 'info' ? endOf(before) : before.tMono)
}

/**
 * Returns until when the server may have accepted writes: until it refused a probe, or until a probe without a response
 * was sent.
 */
function endBefore(after: Event): number {
  return after.type === 'info' ? after.tMono : endOf(after)
}

function overlapOf(a: Run, b: Run): Overlap {
  const both = (of: (run: Run) => Span): Span => ({
    from: Math.max(of(a).from, of(b).from),
    until: Math.min(of(a).until, of(b).until),
  })
  const events = [a.first, a.last, b.first, b.last].toSorted((x, y) => x.seq - y.seq)
  return { servers: [a.server, b.server], outer: both((run) => run.outer), inner: both((run) => run.inner), events }
}

/** Merges overlaps into disjoint spans in order. */
export function mergedSpans(overlaps: readonly Overlap[]): readonly Span[] {
  const merged: Span[] = []
  for (const { outer } of overlaps.toSorted((a, b) => a.outer.from - b.outer.from)) {
    const last = merged.at(-1)
    if (last === undefined || outer.from > last.until) merged.push(outer)
    else merged[merged.length - 1] = { from: last.from, until: Math.max(last.until, outer.until) }
  }
  return merged
}

export interface TwoPrimariesOptions {
  readonly slackMs: number
  /** Longest allowed time for which two servers both accept writes, in milliseconds. */
  readonly maxMs: number
}

/** Violated when two servers certainly both accepted writes for longer than the bound. Inconclusive without probes. */
export function twoPrimariesEnd(history: readonly Event[], { slackMs, maxMs }: TwoPrimariesOptions): Finding {
  const probes = history.filter(({ f }) => f === 'probe')
  if (!probes.some(({ type }) => type === 'ok')) return inconclusive('no server accepted a write of the prober')
  const overlaps = overlapsOfPrimaries(history, slackMs)
  const lengths = overlaps.map(({ inner }) => Math.max(0, Math.round(inner.until - inner.from)))
  const examples = overlaps.flatMap(({ servers, events }, index): readonly CounterExample[] => {
    const ms = lengths[index] ?? 0
    if (ms <= maxMs) return []
    return [{ says: `${servers.join(' and ')} both accepted writes for ${ms} ms, the bound is ${maxMs} ms`, events }]
  })
  const longestMs = lengths.reduce((a, b) => Math.max(a, b), 0)
  return findingOf(examples, { probes: probes.length, overlaps: overlaps.length, longestMs, boundMs: maxMs })
}

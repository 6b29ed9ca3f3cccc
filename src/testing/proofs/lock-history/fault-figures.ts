/** Counts what each kind of fault did to the locks of a history. Pure. */
import { type Hold, holdsOf, overlapsOf } from '../../../drill/checkers/locks.ts'
import { type Operation, operationsOf } from '../../../drill/checkers/operations.ts'
import type { Event } from '../../../drill/history.ts'

/** Effects of all proven faults of one kind. */
export interface FaultFigures {
  readonly fault: string
  /** Number of proven faults. */
  readonly times: number
  /** Longest time without a grant of any key that began before the next fault, in milliseconds. */
  readonly pauseMs: number
  /** Number of holds that began while another client held the key. */
  readonly overlaps: number
  /** Number of grants whose fence is not above that of the grant of the key before. */
  readonly outOfOrder: number
}

interface Window {
  readonly fault: string
  readonly from: number
  readonly until: number
}

/** Returns the figures in the order of the first proof of each kind. A fault lasts until the next one begins. */
export function faultFigures(history: readonly Event[]): readonly FaultFigures[] {
  const windows = windowsOf(history)
  const holds = holdsOf(history).toSorted((a, b) => a.from - b.from)
  const overlapping = new Set(overlapsOf(holds).map(({ second }) => second))
  const falling = new Set(fallsOf(holds))
  return [...Map.groupBy(windows, ({ fault }) => fault)].map(([fault, ofKind]) => {
    const count = (among: ReadonlySet<Hold>): number =>
      ofKind.flatMap((window) => [...among].filter(({ from }) => isIn(window, from))).length
    return {
      fault,
      times: ofKind.length,
      pauseMs: Math.max(0, ...ofKind.map((window) => pauseOf(window, holds))),
      overlaps: count(overlapping),
      outOfOrder: count(falling),
    }
  })
}

function windowsOf(history: readonly Event[]): readonly Window[] {
  const faults = operationsOf(history, 'fault')
  const end = history.at(-1)?.tMono ?? 0
  return faults.flatMap((operation, index): readonly Window[] => {
    if (operation.outcome !== 'ok') return []
    return [{ fault: operation.invoke.key, from: startOf(operation), until: startOf(faults[index + 1]) ?? end }]
  })
}

function startOf(operation: Operation): number
function startOf(operation: Operation | undefined): number | undefined
function startOf(operation: Operation | undefined): number | undefined {
  return operation?.invoke.tMono
}

const isIn = ({ from, until }: Window, ms: number): boolean => ms >= from && ms < until

/** Returns the longest time between neighbouring grants that overlaps the window, in milliseconds. */
function pauseOf(window: Window, holds: readonly Hold[]): number {
  const times = [window.from, ...holds.map(({ from }) => from).filter((ms) => ms > window.from)]
  const gaps = times.slice(1).map((ms, index) => ({ start: times[index] ?? ms, ms: ms - (times[index] ?? ms) }))
  const longest = gaps.filter(({ start }) => start < window.until).map(({ ms }) => ms)
  return Math.round(Math.max(0, ...longest))
}

/** Returns the holds whose fence is not above the highest of an earlier grant of the key. */
function fallsOf(holds: readonly Hold[]): readonly Hold[] {
  return [...Map.groupBy(holds, ({ operation }) => operation.invoke.key).values()].flatMap((ofKey) => {
    let highest = -1n
    return ofKey.filter(({ operation }) => {
      const fence = BigInt(operation.completion?.fence ?? '0')
      const falls = fence <= highest
      if (!falls) highest = fence
      return falls
    })
  })
}

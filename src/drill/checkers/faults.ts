/** Checks that faults took effect. A run without faults proves nothing. */
import type { Event } from '../history.ts'
import { operationsOf } from './operations.ts'
import { type Finding, findingOf, inconclusive } from './verdict.ts'

/** Valid if each kind of fault that was tried has at least one proven injection; otherwise inconclusive. */
export function faultsHappened(history: readonly Event[]): Finding {
  const faults = operationsOf(history, 'fault')
  const happened = faults.filter(({ outcome, completion }) => outcome === 'ok' && (completion?.proof ?? '') !== '')
  if (happened.length === 0) return inconclusive('no fault is proven to have taken effect')
  const counts = Object.groupBy(happened, ({ invoke }) => invoke.key)
  const never = new Set(faults.map(({ invoke }) => invoke.key).filter((key) => counts[key] === undefined))
  const figures = Object.fromEntries(Object.entries(counts).map(([key, of]) => [key, of?.length ?? 0]))
  if (never.size > 0) return inconclusive(`tried, and never took effect: ${[...never].join(', ')}`, figures)
  return findingOf([], figures)
}

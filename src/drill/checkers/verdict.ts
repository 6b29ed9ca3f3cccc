/** Findings of checkers, and the verdict on a run, which is the worst finding. */
import type { Event } from '../history.ts'
import type { FinalStore } from './final-store.ts'

export type Kind = 'valid' | 'violated' | 'inconclusive'

/** Evidence of a violation. `says` is one sentence. */
export interface CounterExample {
  readonly says: string
  /** The operations that contradict each other, in the order in which they were recorded. */
  readonly events: readonly Event[]
}

/** Result of one checker. */
export interface Finding {
  readonly kind: Kind
  /** Reason for an inconclusive finding; empty otherwise. */
  readonly why: string
  readonly counterExamples: readonly CounterExample[]
  readonly figures: Readonly<Record<string, number>>
}

/** A pure function. If it throws, its finding is inconclusive. */
export type Checker = (history: readonly Event[], store: FinalStore) => Finding

/** Findings by the name of their check, and the worst kind among them. */
export interface Verdict {
  readonly kind: Kind
  readonly checks: Readonly<Record<string, Finding>>
}

type Figures = Readonly<Record<string, number>>

/** Returns an inconclusive finding with its reason. */
export function inconclusive(why: string, figures: Figures = {}): Finding {
  return { kind: 'inconclusive', why, counterExamples: [], figures }
}

/** Returns a violated finding if there is a counter-example, else a valid one. */
export function findingOf(counterExamples: readonly CounterExample[], figures: Figures): Finding {
  return { kind: counterExamples.length === 0 ? 'valid' : 'violated', why: '', counterExamples, figures }
}

/** Runs all checkers. The verdict is the worst finding: violated, then inconclusive, then valid. */
export function judge(
  checkers: Readonly<Record<string, Checker>>,
  history: readonly Event[],
  store: FinalStore,
): Verdict {
  const entries = Object.entries(checkers).map(([name, check]) => [name, tried(check, history, store)] as const)
  const checks = Object.fromEntries(entries)
  return { kind: worst(entries.map(([, finding]) => finding.kind)), checks }
}

function tried(check: Checker, history: readonly Event[], store: FinalStore): Finding {
  try {
    return check(history, store)
  } catch (thrown) {
    return inconclusive(`the checker failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
}

/** Returns violated before inconclusive before valid; inconclusive when there is nothing to judge. */
export function worst(kinds: readonly Kind[]): Kind {
  if (kinds.includes('violated')) return 'violated'
  return kinds.length === 0 || kinds.includes('inconclusive') ? 'inconclusive' : 'valid'
}

/** Combines the verdicts on the parts of a history into one verdict. */
import { type CounterExample, type Finding, findingOf, type Verdict, worst } from './verdict.ts'

/** Number of counter-examples kept for each check. All are counted. */
const MAX_EXAMPLES = 20

/** Accumulates the verdicts on parts. */
export interface Combined {
  /** Adds the verdict on one part. */
  add(verdict: Verdict): void
  /** Returns the verdict on all added parts. It is inconclusive if there are none. */
  verdict(): Verdict
}

export interface CombineOptions {
  /**
   * Returns true for a figure that all parts share, such as the number of faults. Its maximum is kept instead of its
   * sum.
   */
  readonly shared: (check: string, figure: string) => boolean
}

/** Sums the figures of each check, keeps its worst kind, and bounds the number of kept counter-examples. */
export function createCombined({ shared }: CombineOptions): Combined {
  const checks = new Map<string, Finding>()
  return {
    add(verdict) {
      for (const [name, finding] of Object.entries(verdict.checks)) {
        const sofar = checks.get(name) ?? findingOf([], {})
        checks.set(
          name,
          joined(sofar, finding, (figure) => shared(name, figure)),
        )
      }
    },
    verdict: () => ({
      kind: worst(Array.from(checks.values(), ({ kind }) => kind)),
      checks: Object.fromEntries(checks),
    }),
  }
}

function joined(a: Finding, b: Finding, isShared: (figure: string) => boolean): Finding {
  const names = new Set([...Object.keys(a.figures), ...Object.keys(b.figures)])
  const figures = Object.fromEntries(
    Array.from(names, (name) => {
      const [x = 0, y = 0] = [a.figures[name], b.figures[name]]
      return [name, isShared(name) ? Math.max(x, y) : x + y]
    }),
  )
  const all: readonly CounterExample[] = [...a.counterExamples, ...b.counterExamples]
  const why = a.why === '' || a.why === b.why ? b.why || a.why : a.why
  return {
    kind: worst([a.kind, b.kind]),
    why,
    counterExamples: all.slice(0, MAX_EXAMPLES),
    figures: counted(figures, all),
  }
}

const VIOLATIONS = 'violations'

/** Adds the total number of counter-examples when some are left out. */
function counted(figures: Readonly<Record<string, number>>, all: readonly CounterExample[]) {
  const leftOut = Math.max(0, all.length - MAX_EXAMPLES)
  if (leftOut === 0) return figures
  return { ...figures, [VIOLATIONS]: Math.max(figures[VIOLATIONS] ?? 0, MAX_EXAMPLES) + leftOut }
}

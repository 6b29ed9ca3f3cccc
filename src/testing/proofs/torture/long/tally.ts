/** Counts the events of a long run while it runs, because its history does not fit into memory. */
import type { Entry } from '../../../../drill/history.ts'

/** Counts of a run. */
export interface Tally {
  note(entry: Entry): void
  add(name: string, count: number): void
  /** Returns counts by name in alphabetical order, and the maximum resident memory so far in MiB. */
  figures(): Readonly<Record<string, number>>
  /** Returns one line for a person who waits. */
  progress(acknowledged: number, of: number): string
}

/** Returns a tally without counts. */
export function createTally(): Tally {
  const counts = new Map<string, number>()
  const startMs = performance.now()
  let peakMiB = 0

  function add(name: string, count: number): void {
    counts.set(name, (counts.get(name) ?? 0) + count)
  }
  function measureMemory(): number {
    peakMiB = Math.max(peakMiB, Math.round(process.memoryUsage.rss() / 1_048_576))
    return peakMiB
  }
  return {
    add,
    note(entry) {
      if (entry.type === 'invoke') return
      const name = nameOf(entry)
      if (name !== undefined) add(name, 1)
    },
    figures() {
      add('harnessPeakMiB', measureMemory() - (counts.get('harnessPeakMiB') ?? 0))
      return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    },
    progress(acknowledged, of) {
      const seconds = Math.round((performance.now() - startMs) / 1_000)
      return `${acknowledged} of ${of} acknowledged after ${seconds} s, ${measureMemory()} MiB`
    },
  }
}

/**
 * Returns the name of a count: the kind and outcome of the operation, and for acknowledged saves the form and result.
 */
function nameOf({ f, type, key, form = 'single', result = '' }: Entry): string | undefined {
  if (f === 'save') return `save ${form} ${type === 'ok' ? result : type}`
  if (f === 'delete') return `delete ${type === 'ok' ? result : type}`
  if (f === 'fault') return `fault ${key} ${type}`
  return f === 'acquire' || f === 'write' ? `${f} ${type}` : undefined
}

/** Finds the known word nearest to an unknown one, for "did you mean" messages. */

/** Returns the word of `known` that is nearest to `word`, or `undefined` if none is near enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const [best] = ranked
  if (best === undefined) return undefined
  return best.distance <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined
}

/**
 * Returns the number of insertions, deletions, replacements and swaps of neighbours (optimal string alignment
 * distance).
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      current.push(cell({ a, b, row, column }, { beforeLast, last, current }))
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}

interface Place {
  readonly a: string
  readonly b: string
  readonly row: number
  readonly column: number
}

interface Rows {
  readonly beforeLast: readonly number[]
  readonly last: readonly number[]
  readonly current: readonly number[]
}

function cell({ a, b, row, column }: Place, { beforeLast, last, current }: Rows): number {
  const same = a[row - 1] === b[column - 1]
  const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
  return Math.min(
    at(last, column) + 1,
    at(current, column - 1) + 1,
    at(last, column - 1) + (same ? 0 : 1),
    swapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
  )
}

function at(cells: readonly number[], index: number): number {
  return cells[index] ?? Number.POSITIVE_INFINITY
}

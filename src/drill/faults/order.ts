/** The order of faults. It depends only on the seed. */
import type { Random } from '../../std/random.ts'

/** Yields the items without end, in random order: each item once before any is repeated. */
export function* planOf<T>(kinds: readonly T[], random: Random): Generator<T, void> {
  while (kinds.length > 0) yield* shuffled(kinds, random)
}

/** Shuffles the items (Fisher and Yates). */
function shuffled<T>(kinds: readonly T[], random: Random): readonly T[] {
  const rest = [...kinds]
  return kinds.map(() => {
    const [drawn] = rest.splice(random.between(0, rest.length - 1), 1)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as many are drawn as there are
    return drawn as T
  })
}

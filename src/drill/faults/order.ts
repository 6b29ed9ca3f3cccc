/** Which fault comes when, as a function of the seed alone. */
import type { Random } from '../../std/random.ts'

/** Names without end: each once, in a drawn order, before any comes again. */
export function* planOf<T>(kinds: readonly T[], random: Random): Generator<T, void> {
  while (kinds.length > 0) yield* shuffled(kinds, random)
}

/** Fisher and Yates. */
function shuffled<T>(kinds: readonly T[], random: Random): readonly T[] {
  const rest = [...kinds]
  return kinds.map(() => {
    const [drawn] = rest.splice(random.between(0, rest.length - 1), 1)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as many are drawn as there are
    return drawn as T
  })
}

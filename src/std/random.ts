/**
 * Reproducible random numbers: the same seed gives the same sequence. Source: mulberry32 by Tommy Ettinger (public
 * domain).
 */

export interface Random {
  /** Returns a number from 0 up to but excluding 1. */
  next(): number
  /** Returns a whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  chance(probability: number): boolean
  /** Returns one of the elements. Throws RangeError for an empty list. */
  pick<T>(from: readonly T[]): T
  /** Returns an independent generator, so that concurrent users do not change each other's sequence. */
  fork(): Random
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new RangeError('nothing to pick from')
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the index is within the list
      return from[between(0, from.length - 1)] as T
    },
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  }
}

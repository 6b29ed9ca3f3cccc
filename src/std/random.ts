/** Chance that can be had again: the same seed gives the same draws. Source: mulberry32 by Tommy Ettinger (public domain). */

export interface Random {
  /** From 0 up to, without, 1. */
  next(): number
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  chance(probability: number): boolean
  /** Throws RangeError for an empty list. */
  pick<T>(from: readonly T[]): T
  /** An independent source, so that concurrent users do not disturb each other's draws. */
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
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the index lies within the list
      return from[between(0, from.length - 1)] as T
    },
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  }
}

/**
 * Bookkeeping of a workload of millions of contents. A content is created from its number whenever it is needed, so
 * memory holds only the numbers without an outcome, which the faults bound, and samples of fixed size.
 */
import type { Random } from '../../std/random.ts'
import { type Content, smallContent } from './content.ts'
import type { Outcome } from './sender.ts'

/** The contents of a workload and their outcomes. */
export interface NumberedBook {
  /** Contents that were acknowledged at least once. */
  readonly acknowledged: number
  /** Returns a content that was never sent before. */
  fresh(): Content
  /** Returns a content that was sent before, usually a recent one. Returns undefined before the first. */
  repeat(random: Random): Content | undefined
  /** Returns up to `most` contents whose outcome is unknown and that no request is sending now, and takes them out. */
  takeOpen(most: number): readonly Content[]
  /** Returns a recent content that was acknowledged, or `undefined`. */
  recentAcknowledged(random: Random): Content | undefined
  /** Returns a sample of all acknowledged contents, at most 256. */
  sample(): readonly Content[]
  /** Records the outcome of a request for a content. */
  note(content: Content, outcome: Outcome): void
}

/** Number of recent contents, from which most repeats are chosen, because there replicas race for the same commit. */
const RECENT = 5_000
const SAMPLE = 256

/** Returns a book without contents. The seed determines all contents. */
export function createNumberedBook(seed: number, random: Random): NumberedBook {
  let next = 0
  /** Every smaller number is acknowledged or in one of the two sets. */
  const open = new Set<number>()
  const sending = new Set<number>()
  const ring: number[] = []
  const reservoir: number[] = []
  let acknowledged = 0

  const at = (number: number): Content => smallContent(seed, number)

  function acknowledge(number: number): void {
    const isFirst = sending.delete(number) || open.delete(number)
    if (!isFirst) return
    acknowledged++
    if (ring.length < RECENT) ring.push(number)
    else ring[acknowledged % RECENT] = number
    // algorithm R (Vitter 1985)
    if (reservoir.length < SAMPLE) reservoir.push(number)
    else if (random.chance(SAMPLE / acknowledged)) reservoir[random.between(0, SAMPLE - 1)] = number
  }

  return {
    get acknowledged() {
      return acknowledged
    },
    fresh() {
      sending.add(next)
      return at(next++)
    },
    repeat(draws) {
      if (next === 0) return undefined
      const from = draws.chance(0.8) ? Math.max(0, next - RECENT) : 0
      return at(draws.between(from, next - 1))
    },
    takeOpen(most) {
      const taken: number[] = []
      for (const number of open) {
        if (taken.length === most) break
        taken.push(number)
      }
      for (const number of taken) {
        open.delete(number)
        sending.add(number)
      }
      return taken.map(at)
    },
    recentAcknowledged: (draws) => (ring.length === 0 ? undefined : at(draws.pick(ring))),
    sample: () => reservoir.map(at),
    note({ number }, outcome) {
      if (outcome === 'ok') acknowledge(number)
      // a refused content was not stored, and is sent again like one of unknown outcome
      else if (sending.delete(number)) open.add(number)
    },
  }
}

/** The report of `ingot verify`, common to all stores that support it. */

import { IngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'

export interface VerifyReport {
  /** Number of items by name of their collection. */
  readonly collections: ReadonlyMap<string, number>
  readonly receipts: number
  /** Items and receipts that an older version stored without a checksum. */
  readonly withoutChecksum: number
  readonly problemCount: number
  /** The first problems, as sentences. */
  readonly problems: readonly string[]
}

export interface VerifyOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress?: (checkedItems: number) => void
}

/** Maximum number of problems that are kept as sentences. */
const SHOWN_PROBLEMS = 20

/** Rows between two checks of the signal. */
const ROWS_AT_ONCE = 1_000

/** Counts the rows that were checked, and collects the problems. */
export class Findings {
  readonly #options: VerifyOptions
  readonly #collections = new Map<string, number>()
  readonly #problems: string[] = []
  #problemCount = 0
  #items = 0
  #receipts = 0
  #withoutChecksum = 0

  constructor(options: VerifyOptions) {
    this.#options = options
  }

  report(): VerifyReport {
    return {
      collections: this.#collections,
      receipts: this.#receipts,
      withoutChecksum: this.#withoutChecksum,
      problemCount: this.#problemCount,
      problems: this.#problems,
    }
  }

  problem(sentence: string): void {
    this.#problemCount++
    if (this.#problems.length < SHOWN_PROBLEMS) this.#problems.push(sentence)
  }

  /** Runs `work`. Records an IngotError STORE_CORRUPT as a problem and then returns `undefined`. */
  async attempt<T>(work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (failure) {
      if (!(failure instanceof IngotError) || failure.code !== 'STORE_CORRUPT') throw failure
      this.problem(failure.message)
      return undefined
    }
  }

  sawCollection(name: string): void {
    this.#collections.set(name, this.#collections.get(name) ?? 0)
  }

  /** Counts an item. `collection`: the name of its collection, if there is one. */
  sawItem(collection: string | undefined, hasChecksum: boolean): void {
    this.#items++
    if (!hasChecksum) this.#withoutChecksum++
    if (collection !== undefined) this.#collections.set(collection, (this.#collections.get(collection) ?? 0) + 1)
  }

  sawReceipt(hasChecksum: boolean): void {
    this.#receipts++
    if (!hasChecksum) this.#withoutChecksum++
  }

  /** Call this after each row. From time to time it checks the signal and reports the progress. */
  async pauseSometimes(): Promise<void> {
    if ((this.#items + this.#receipts) % ROWS_AT_ONCE === 0) await this.pause()
  }

  async pause(): Promise<void> {
    this.#options.onProgress?.(this.#items)
    await this.#options.clock.sleep(0, this.#options.signal)
  }
}

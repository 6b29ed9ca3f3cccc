/** What `ingot verify` comes to, for every store that it can look into. */

import { IngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'

export interface VerifyReport {
  /** Items by name of their collection. */
  readonly collections: ReadonlyMap<string, number>
  readonly receipts: number
  /** Items and kept answers that an older version stored without a checksum. */
  readonly withoutChecksum: number
  readonly problemCount: number
  /** The first ones, as sentences. */
  readonly problems: readonly string[]
}

export interface VerifyOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress?: (checkedItems: number) => void
}

/** Problems that are kept as sentences. */
const SHOWN_PROBLEMS = 20

/** Rows between two looks at the signal. */
const ROWS_AT_ONCE = 1_000

/** Counts what is looked at, and keeps what is found. */
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

  /** Turns a IngotError that `work` throws into a problem. */
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

  /** An item, found in a collection of that name when there is one. */
  sawItem(collection: string | undefined, hasChecksum: boolean): void {
    this.#items++
    if (!hasChecksum) this.#withoutChecksum++
    if (collection !== undefined) this.#collections.set(collection, (this.#collections.get(collection) ?? 0) + 1)
  }

  sawReceipt(hasChecksum: boolean): void {
    this.#receipts++
    if (!hasChecksum) this.#withoutChecksum++
  }

  /** Once in a while lets signals in and says how far we are. To be called after each row. */
  async breathe(): Promise<void> {
    if ((this.#items + this.#receipts) % ROWS_AT_ONCE === 0) await this.pause()
  }

  async pause(): Promise<void> {
    this.#options.onProgress?.(this.#items)
    await this.#options.clock.sleep(0, this.#options.signal)
  }
}

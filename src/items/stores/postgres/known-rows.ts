/** Which rows of a batch were there before it, and since when. Flat: a batch of duplicates has one of each of its rows. */

export interface KnownRows {
  /** How many rows are known. */
  readonly count: number
  /** First-seen time of a row, from 0; undefined when it was not there. */
  since(row: number): number | undefined
  note(row: number, firstSeenMs: number): void
  /** The rows that are not known, in order. */
  unknown(): readonly number[]
}

export function createKnownRows(rows: number): KnownRows {
  return new FlatRows(rows)
}

class FlatRows implements KnownRows {
  /** NaN: not known. */
  readonly #since: Float64Array
  #count = 0

  constructor(rows: number) {
    this.#since = new Float64Array(rows).fill(Number.NaN)
  }

  get count(): number {
    return this.#count
  }

  since(row: number): number | undefined {
    const since = this.#since[row]
    return since === undefined || Number.isNaN(since) ? undefined : since
  }

  note(row: number, firstSeenMs: number): void {
    if (Number.isNaN(this.#since[row] ?? 0)) this.#count++
    this.#since[row] = firstSeenMs
  }

  unknown(): readonly number[] {
    const rows: number[] = []
    for (let row = 0; row < this.#since.length; row++) if (this.since(row) === undefined) rows.push(row)
    return rows
  }
}

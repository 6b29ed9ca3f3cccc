/**
 * Splits a stream of chunks into lines. A line may span any number of chunks. A line beyond the limit is reported once
 * and skipped without being kept, so memory stays bounded.
 */

export interface Line {
  /** Physical line number, from 1. */
  readonly line: number
  /** The bytes without the line feed and a carriage return before it. */
  readonly bytes: Buffer
  /** True if the line was longer than the limit; `bytes` is then empty. */
  readonly tooLong: boolean
}

export interface LineSplitter {
  /** Returns the lines that end in this chunk. Their bytes may be views into the chunk. */
  push(chunk: Uint8Array): Line[]
  /** Returns the last line if the input did not end in a line feed. */
  end(): Line[]
  /** Number of lines returned so far. */
  readonly count: number
  /** Bytes allocated for a line that is not complete. */
  readonly heldBytes: number
  /** True if an incomplete line has begun. */
  readonly isInLine: boolean
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const NOTHING = Buffer.alloc(0)

export function createLineSplitter(maxLineBytes: number): LineSplitter {
  return new Splitter(maxLineBytes)
}

class Splitter implements LineSplitter {
  readonly #maxBytes: number
  #count = 0
  /**
   * The beginning of an incomplete line: its first `#partBytes` bytes. One buffer that doubles, because a list of parts
   * would have an entry for each chunk of a client that sends byte by byte. Absent while skipping.
   */
  #held: Buffer | undefined
  #partBytes = 0
  #skipping = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#count
  }

  get heldBytes(): number {
    return this.#held?.length ?? 0
  }

  get isInLine(): boolean {
    return this.#skipping || this.#partBytes > 0
  }

  push(chunk: Uint8Array): Line[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const lines: Line[] = []
    let start = 0
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      lines.push(this.#complete(bytes.subarray(start, end)))
      start = end + 1
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start))
    return lines
  }

  end(): Line[] {
    return this.isInLine ? [this.#complete(NOTHING)] : []
  }

  #keep(part: Buffer): void {
    if (this.#skipping) return
    // one byte beyond the limit may be the carriage return of a line that just fits
    if (this.#partBytes + part.length > this.#maxBytes + 1) {
      this.#skipping = true
      this.#held = undefined
      return
    }
    const held = this.#roomFor(this.#partBytes + part.length)
    // copies, because a view would keep the complete chunk in memory
    part.copy(held, this.#partBytes)
    this.#partBytes += part.length
  }

  #roomFor(bytes: number): Buffer {
    const held = this.#held ?? NOTHING
    if (held.length >= bytes) return held
    const larger = Buffer.allocUnsafe(Math.max(bytes, Math.min(2 * held.length, this.#maxBytes + 1)))
    held.copy(larger, 0, 0, this.#partBytes)
    this.#held = larger
    return larger
  }

  #complete(last: Buffer): Line {
    this.#count++
    if (this.#partBytes > 0 && last.length > 0) this.#keep(last)
    const whole = this.#held?.subarray(0, this.#partBytes) ?? last
    const bytes = whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole
    const tooLong = this.#skipping || bytes.length > this.#maxBytes
    this.#held = undefined
    this.#partBytes = 0
    this.#skipping = false
    return { line: this.#count, bytes: tooLong ? NOTHING : bytes, tooLong }
  }
}

/**
 * Lines out of a stream of chunks. A line may span any number of chunks; one that is longer than the limit is
 * reported once and skipped without being kept, so that memory stays bounded whatever comes.
 */

export interface Line {
  /** Physical line, from 1. */
  readonly line: number
  /** Without the line feed, and without a carriage return before it. */
  readonly bytes: Buffer
  /** The line was longer than the limit; `bytes` is empty. */
  readonly tooLong: boolean
}

export interface LineSplitter {
  /** The lines that this chunk ends. Their bytes may be views into the chunk. */
  push(chunk: Uint8Array): Line[]
  /** The last line, when the input did not end in a line feed. */
  end(): Line[]
  /** Lines given out so far. */
  readonly count: number
  /** Bytes allocated for a line that is not complete. */
  readonly heldBytes: number
  /** Whether a line has begun that is not complete. */
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
   * The beginning of a line that is not complete: its first `#partBytes` bytes. One buffer that doubles, not a list of
   * parts: a client that sends byte by byte would make a part of each. Absent while skipping.
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
    // one byte more than the limit may be the carriage return of a line that just fits
    if (this.#partBytes + part.length > this.#maxBytes + 1) {
      this.#skipping = true
      this.#held = undefined
      return
    }
    const held = this.#roomFor(this.#partBytes + part.length)
    // a copy: the chunk that this is a view of would be kept alive whole
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

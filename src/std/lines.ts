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
  /** Beginnings of a line that is not complete, and their length. Empty while skipping. */
  #parts: Buffer[] = []
  #partBytes = 0
  #skipping = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#count
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
    return this.#partBytes === 0 && !this.#skipping ? [] : [this.#complete(NOTHING)]
  }

  #keep(part: Buffer): void {
    if (this.#skipping) return
    this.#partBytes += part.length
    // one byte more than the limit may be the carriage return of a line that just fits
    if (this.#partBytes > this.#maxBytes + 1) {
      this.#skipping = true
      this.#parts = []
      return
    }
    // a copy: the chunk that this is a view of would be kept alive whole
    this.#parts.push(Buffer.from(part))
  }

  #complete(last: Buffer): Line {
    this.#count++
    const whole = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last])
    const bytes = whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole
    const tooLong = this.#skipping || bytes.length > this.#maxBytes
    this.#parts = []
    this.#partBytes = 0
    this.#skipping = false
    return { line: this.#count, bytes: tooLong ? NOTHING : bytes, tooLong }
  }
}

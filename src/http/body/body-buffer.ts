/**
 * Copies the bytes of one body out of the chunks that bring them. A client chooses the size of its chunks, and a kept
 * chunk of one byte would cost hundreds of bytes. Segments grow with the body, so the memory in use is at most about
 * twice the bytes received, plus one segment.
 */

/** First segment of a body that is at least this long, in bytes. */
const FIRST_BYTES = 16_384
const MAX_SEGMENT_BYTES = 1_048_576
/** First segment of a body of unknown length, which may be tiny. */
const FIRST_BYTES_UNKNOWN = 1_024

export interface BodyBufferOptions {
  /** Length that the client announced, if it announced one. */
  readonly announced: number | undefined
  /**
   * Called before a segment is allocated, with the bytes of all segments including it. Throws to refuse the segment.
   */
  readonly reserve: (bytes: number) => void
}

export interface BodyBuffer {
  append(chunk: Buffer): void
  readonly length: number
  /** Returns all bytes as one buffer that shares no memory. Call it once, at the end. */
  toBuffer(): Buffer
}

export function createBodyBuffer({ announced, reserve }: BodyBufferOptions): BodyBuffer {
  const segments: Buffer[] = []
  let allocated = 0
  let length = 0

  function grow(needed: number): Buffer {
    const first = announced === undefined ? FIRST_BYTES_UNKNOWN : FIRST_BYTES
    const wanted = Math.min(Math.max(allocated, first, needed), MAX_SEGMENT_BYTES)
    const left = announced === undefined ? wanted : Math.max(announced - length, needed)
    const bytes = Math.min(wanted, left)
    reserve(allocated + bytes)
    const segment = Buffer.allocUnsafeSlow(bytes)
    segments.push(segment)
    allocated += bytes
    return segment
  }

  return {
    get length() {
      return length
    },
    append(chunk) {
      for (let from = 0; from < chunk.length; ) {
        const room = allocated - length
        const last = room > 0 ? segments.at(-1) : undefined
        const segment = last ?? grow(chunk.length - from)
        const copied = chunk.copy(segment, last === undefined ? 0 : segment.length - room, from)
        from += copied
        length += copied
      }
    },
    toBuffer() {
      const [only] = segments
      if (segments.length === 1 && only?.length === length) return only
      return Buffer.concat(segments, length)
    },
  }
}

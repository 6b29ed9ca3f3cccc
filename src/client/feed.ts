/**
 * Keeps the chunks of the source that are in flight, from reading them until every line in them has a result. After a
 * broken connection they can be sent again from the first line without a result. So one pass over the source is enough,
 * even for a pipe. Memory is bounded by `maxKeptBytes`: at the limit nothing more is read until results come.
 *
 * Line numbers are physical, from 1. A blank line is not an item and gets no result.
 */

import { IngotError } from '../errors/error.ts'
import { abortable } from '../std/abort.ts'

export interface Feed {
  /**
   * Resolves with the next chunk to send, after waiting for the source and for capacity. Resolves with undefined at the
   * end.
   */
  next(signal: AbortSignal): Promise<Buffer | undefined>
  /** Resolves when there is something to send, or at the end. The value is true if it had to wait for the source. */
  ready(signal: AbortSignal): Promise<boolean>
  /**
   * Goes back to the first line without a result, and returns the number of lines before it. Throws IngotError
   * CONTENT_TOO_LARGE if that line was too long to be kept.
   */
  rewind(): number
  /** Marks all lines up to this one as answered. Throws IngotError REMOTE_REFUSED if the line is out of order. */
  answered(line: number): void
  readonly answeredLines: number
  /** Number of items that were read: lines that are not blank. */
  readonly items: number
  /** True if lines that were read wait for their results, or the complete source was read. */
  readonly awaitsAnswer: boolean
  /** Position in the source up to which every line has a result, in bytes. */
  readonly answeredBytes: number
}

export interface FeedSource {
  readonly chunks: AsyncIterable<Buffer>
  positionBytes(): number
}

export interface FeedOptions {
  /** Maximum number of bytes that are kept to be sent again. Default: 64 MiB. */
  readonly maxKeptBytes?: number
}

interface Piece {
  readonly bytes: Buffer
  /** Number of line feeds before it in the source. */
  readonly linesBefore: number
  /** Last line with an item that has bytes in this chunk or before it. */
  readonly lastItemLine: number
  readonly positionBytes: number
}

/** Approximate memory of a kept chunk in addition to its bytes. */
const PIECE_BYTES = 256

export function createFeed(source: FeedSource, options: FeedOptions = {}): Feed {
  return new KeptFeed(source, options.maxKeptBytes ?? 64 * 1_024 * 1_024)
}

class KeptFeed implements Feed {
  readonly #source: FeedSource
  readonly #chunks: AsyncIterator<Buffer>
  readonly #maxKeptBytes: number
  readonly #scan = new LineScan()
  #pieces: Piece[] = []
  #keptBytes = 0
  /** Index of the first piece that was not sent on this connection. */
  #unsent = 0
  #reading: Promise<IteratorResult<Buffer>> | undefined
  #ended = false
  #answeredLines = 0
  #answeredBytes = 0
  /** A line of which a part is no longer kept. */
  #lostLine = 0
  #room: (() => void) | undefined

  constructor(source: FeedSource, maxKeptBytes: number) {
    this.#source = source
    this.#chunks = source.chunks[Symbol.asyncIterator]()
    this.#maxKeptBytes = maxKeptBytes
  }

  get answeredLines(): number {
    return this.#answeredLines
  }

  get items(): number {
    return this.#scan.items
  }

  get answeredBytes(): number {
    return this.#answeredBytes
  }

  get awaitsAnswer(): boolean {
    return this.#ended || this.#answeredLines < this.#scan.lastCompleteItemLine
  }

  async next(signal: AbortSignal): Promise<Buffer | undefined> {
    await this.ready(signal)
    const piece = this.#pieces[this.#unsent]
    if (piece !== undefined) this.#unsent++
    return piece?.bytes
  }

  async ready(signal: AbortSignal): Promise<boolean> {
    if (this.#unsent < this.#pieces.length || this.#ended) return false
    await this.#waitForRoom(signal)
    this.#reading ??= this.#chunks.next()
    const result = await abortable(this.#reading, signal)
    this.#reading = undefined
    if (result.done === true) this.#finish()
    else this.#keep(result.value)
    return true
  }

  rewind(): number {
    if (this.#lostLine > this.#answeredLines) throw tooLong(this.#lostLine, this.#maxKeptBytes)
    this.#unsent = 0
    const [first] = this.#pieces
    if (first === undefined) return this.#scan.lineFeeds
    const bytes = afterLineFeeds(first.bytes, this.#answeredLines - first.linesBefore)
    const linesBefore = Math.max(first.linesBefore, this.#answeredLines)
    this.#keptBytes -= first.bytes.length - bytes.length
    this.#pieces[0] = { ...first, bytes, linesBefore }
    return linesBefore
  }

  answered(line: number): void {
    if (line <= this.#answeredLines || line > this.#scan.lineFeeds + 1) {
      throw new IngotError('REMOTE_REFUSED', `the service answered line ${line} out of order`)
    }
    this.#answeredLines = line
    this.#drop()
    this.#room?.()
  }

  #keep(bytes: Buffer): void {
    const linesBefore = this.#scan.lineFeeds
    this.#scan.push(bytes)
    const lastItemLine = this.#scan.lastItemLine
    this.#pieces.push({ bytes, linesBefore, lastItemLine, positionBytes: this.#source.positionBytes() })
    this.#keptBytes += bytes.length + PIECE_BYTES
  }

  #finish(): void {
    this.#ended = true
    this.#scan.end()
  }

  /** Drops chunks that were sent and whose lines all have results. */
  #drop(): void {
    let first = this.#pieces[0]
    while (first !== undefined && this.#unsent > 0 && first.lastItemLine <= this.#answeredLines) {
      this.#forget(first)
      first = this.#pieces[0]
    }
  }

  #forget(first: Piece): void {
    this.#pieces.shift()
    this.#unsent--
    this.#keptBytes -= first.bytes.length + PIECE_BYTES
    this.#answeredBytes = first.positionBytes
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    this.#drop()
    while (this.#keptBytes > this.#maxKeptBytes) {
      if (this.#answeredLines >= this.#scan.lastCompleteItemLine) return this.#loseOpenLine()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#room = resolve
      await abortable(promise, signal)
    }
  }

  /** All kept bytes belong to one unterminated line: waiting for its result would never end. */
  #loseOpenLine(): void {
    this.#lostLine = this.#scan.lineFeeds + 1
    for (let first = this.#pieces[0]; first !== undefined && this.#unsent > 0; first = this.#pieces[0]) {
      this.#forget(first)
    }
  }
}

/** Counts lines and items across chunks. */
class LineScan {
  lineFeeds = 0
  items = 0
  /** Last line that is known to be an item, and the last such line that has ended. */
  lastItemLine = 0
  lastCompleteItemLine = 0

  push(bytes: Buffer): void {
    let start = 0
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      this.#part(bytes, start, end)
      this.#endLine()
      start = end + 1
    }
    this.#part(bytes, start, bytes.length)
  }

  end(): void {
    this.#endLine()
    this.lineFeeds--
  }

  #part(bytes: Buffer, start: number, end: number): void {
    const line = this.lineFeeds + 1
    if (this.lastItemLine === line || isBlank(bytes, start, end)) return
    this.lastItemLine = line
    this.items++
  }

  #endLine(): void {
    this.lineFeeds++
    this.lastCompleteItemLine = this.lastItemLine
  }
}

const LINE_FEED = 0x0a

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false
  }
  return true
}

function afterLineFeeds(bytes: Buffer, count: number): Buffer {
  let start = 0
  for (let skipped = 0; skipped < count; skipped++) start = bytes.indexOf(LINE_FEED, start) + 1
  return bytes.subarray(start)
}

function tooLong(line: number, maxKeptBytes: number): IngotError {
  return new IngotError(
    'CONTENT_TOO_LARGE',
    `the connection broke within line ${line}, which is longer than the ${maxKeptBytes} bytes that are kept to send again`,
  )
}

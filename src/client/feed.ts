/**
 * What is on its way: the source's chunks, kept from the moment they are read until every line in them is answered,
 * so that after a broken connection they can be sent again, from the first line that nobody answered. One pass over
 * the source does, a pipe included, and memory is bounded by `maxKeptBytes`: at the bound nothing more is read until
 * answers come.
 *
 * Lines are physical ones, from 1. A line of blanks only is not an item and gets no answer.
 */

import { IngotError } from '../errors/error.ts'
import { abortable } from '../std/abort.ts'

export interface Feed {
  /** The next chunk to send, waiting for the source and for room; undefined at the end. */
  next(signal: AbortSignal): Promise<Buffer | undefined>
  /** Waits until there is something to send, or the end; says whether it had to ask the source. */
  ready(signal: AbortSignal): Promise<boolean>
  /**
   * Begins again at the first line that is not answered, and says how many lines lie before it.
   * @throws IngotError CONTENT_TOO_LARGE when that line was too long to be kept
   */
  rewind(): number
  /** All lines up to this one are answered. @throws IngotError REMOTE_REFUSED when it cannot be */
  answered(line: number): void
  readonly answeredLines: number
  /** Items that were read: lines that are not blank. */
  readonly items: number
  /** Whether lines were read that wait for their answer, or the whole source was. */
  readonly awaitsAnswer: boolean
  /** Position in the source up to which everything is answered. */
  readonly answeredBytes: number
}

export interface FeedSource {
  readonly chunks: AsyncIterable<Buffer>
  positionBytes(): number
}

export interface FeedOptions {
  /** Default: 64 MiB. */
  readonly maxKeptBytes?: number
}

interface Piece {
  readonly bytes: Buffer
  /** Line feeds before it in the source. */
  readonly linesBefore: number
  /** Last line with an item that has bytes in it or before it. */
  readonly lastItemLine: number
  readonly positionBytes: number
}

/** Roughly what keeping a chunk costs beside its bytes. */
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
  /** Index of the first piece that this connection has not got. */
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
      throw new IngotError('REMOTE_REFUSED', `the service answered line ${line}, which was not its turn`)
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

  /** Forgets what was sent and is answered throughout. */
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

  /** All that is kept belongs to one line without an end: waiting for its answer would wait for ever. */
  #loseOpenLine(): void {
    this.#lostLine = this.#scan.lineFeeds + 1
    for (let first = this.#pieces[0]; first !== undefined && this.#unsent > 0; first = this.#pieces[0]) {
      this.#forget(first)
    }
  }
}

/** Counts lines and items over chunks. */
class LineScan {
  lineFeeds = 0
  items = 0
  /** Last line that is known to be an item, and the last that is so and ended. */
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

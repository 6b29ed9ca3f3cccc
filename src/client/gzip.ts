/**
 * Decompresses gzip as `gzip -d` does: several members in a row are one text, and zero bytes after the last member are
 * padding. Anything else between or after members is refused, because zlib alone stops there without an error, and the
 * rest of the file would be lost.
 */
import { createGunzip, type Gunzip } from 'node:zlib'
import { toBuffer } from './chunk.ts'

const CHUNK_BYTES = 256 * 1_024

/** Yields the decompressed bytes. Rejects with zlib's error, or an Error that names the position, for damaged input. */
export async function* gunzipped(compressed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  const input = new Input(compressed)
  const feeding = input.feed(gunzip)
  try {
    for await (const chunk of gunzip) yield toBuffer(chunk)
  } catch (cause) {
    throw input.failure() ?? damaged(gunzip.bytesWritten, cause)
  } finally {
    gunzip.destroy()
    await feeding
  }
  await input.checkRest(gunzip.bytesWritten)
}

/** The compressed bytes. Keeps those that zlib has not consumed. */
class Input {
  readonly #chunks: AsyncIterator<Buffer>
  #given: Buffer[] = []
  /** Position of the first byte in `#given`. */
  #givenFrom = 0
  #ended = false
  #failure: Error | undefined

  constructor(compressed: AsyncIterable<Buffer>) {
    this.#chunks = compressed[Symbol.asyncIterator]()
  }

  /** Returns the error of the input itself, if it failed. */
  failure(): Error | undefined {
    return this.#failure
  }

  /** Writes the input until it ends or `gunzip` closes. Never rejects: a failure of the input destroys `gunzip`. */
  async feed(gunzip: Gunzip): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      gunzip.once('end', resolve)
      gunzip.once('close', resolve)
    })
    try {
      for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
        if (gunzip.readableEnded || gunzip.destroyed) return this.#give(chunk, gunzip)
        this.#give(chunk, gunzip)
        const written = new Promise<void>((resolve) => void gunzip.write(chunk, () => resolve()))
        await Promise.race([written, closed])
        if (gunzip.readableEnded || gunzip.destroyed) return
      }
      gunzip.end()
    } catch (failure) {
      this.#failure = failure instanceof Error ? failure : new Error(String(failure))
      gunzip.destroy(this.#failure)
    }
  }

  /** Reads the data after the last member. Rejects unless all of it is zero bytes. */
  async checkRest(consumedBytes: number): Promise<void> {
    this.#drop(consumedBytes)
    const inGiven = Math.max(0, consumedBytes - this.#givenFrom)
    let at = Math.max(consumedBytes, this.#givenFrom)
    let rest: Buffer | undefined = Buffer.concat(this.#given).subarray(inGiven)
    for (; rest !== undefined; rest = await this.#next()) {
      const junk = rest.findIndex((byte) => byte !== 0)
      if (junk !== -1) throw notGzip(consumedBytes, at + junk)
      at += rest.length
    }
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#ended) return undefined
    const result: IteratorResult<Buffer> = await this.#chunks.next()
    if (result.done !== true) return result.value
    this.#ended = true
    return undefined
  }

  #give(chunk: Buffer, { bytesWritten }: Gunzip): void {
    this.#drop(bytesWritten)
    this.#given.push(chunk)
  }

  /** Drops chunks that zlib has consumed completely. */
  #drop(consumedBytes: number): void {
    for (let [first] = this.#given; first !== undefined; [first] = this.#given) {
      if (this.#givenFrom + first.length > consumedBytes) return
      this.#givenFrom += first.length
      this.#given.shift()
    }
  }
}

function damaged(consumedBytes: number, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new Error(`the gzip data is damaged after byte ${consumedBytes}: ${why}`, { cause })
}

function notGzip(memberEnd: number, position: number): Error {
  return new Error(
    `a gzip member ends at byte ${memberEnd}, and the data at byte ${position} is neither gzip nor zero padding`,
  )
}

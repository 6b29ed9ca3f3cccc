/**
 * Opens the source of an ingest: a file or a pipe, plain or compressed with gzip. The first bytes decide which. The
 * source is read once, sequentially, and is never completely in memory.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { IngotError, reasonOf } from '../errors/error.ts'
import { toBuffer } from './chunk.ts'
import { gunzipped } from './gzip.ts'

export interface Source {
  /** The decompressed bytes. Rejects with IngotError INPUT_UNREADABLE. */
  readonly chunks: AsyncIterable<Buffer>
  /** Size of the file on disk, in bytes; absent for a pipe. */
  readonly totalBytes?: number
  /** Returns how many of those bytes have been read. */
  positionBytes(): number
}

const CHUNK_BYTES = 256 * 1_024

/** Opens a file. Rejects with IngotError INPUT_UNREADABLE if it does not exist or is a folder. */
export async function openFile(path: string): Promise<Source> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  if (found.isDirectory()) throw unreadable(path, new Error('it is a folder'))
  const source = openStream(createReadStream(path, { highWaterMark: CHUNK_BYTES }), path)
  // the size of a named pipe is meaningless
  return found.isFile() ? { ...source, totalBytes: found.size } : source
}

/** Returns the stream as a source. `name` names it in messages. */
export function openStream(stream: Readable, name: string): Source {
  let readBytes = 0
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      const bytes = toBuffer(chunk)
      readBytes += bytes.length
      yield bytes
    }
  }
  return { chunks: readable(decompressed(counted()), name), positionBytes: () => readBytes }
}

async function* readable(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  try {
    yield* chunks
  } catch (cause) {
    throw unreadable(name, cause)
  }
}

async function* decompressed(raw: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0)
  while (head.length < GZIP_MAGIC.length) {
    const next: IteratorResult<Buffer> = await raw.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  const whole = continued(head, raw)
  if (head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) yield* gunzipped(whole)
  else yield* whole
}

/** Source: RFC 1952, section 2.3.1. JSON text never begins with these bytes. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

async function* continued(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  yield* rest
}

function unreadable(name: string, cause: unknown): IngotError {
  if (cause instanceof IngotError) return cause
  return new IngotError('INPUT_UNREADABLE', `cannot read "${name}": ${reasonOf(cause)}`, { cause })
}

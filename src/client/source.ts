/**
 * Where the lines of an ingest come from: a file or a pipe, as it is or compressed with gzip, which its first bytes
 * tell. It is read once, from front to end, and never held whole.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { IngotError, reasonOf } from '../errors/error.ts'
import { toBuffer } from './chunk.ts'
import { gunzipped } from './gzip.ts'

export interface Source {
  /** Decompressed. Rejects with IngotError INPUT_UNREADABLE. */
  readonly chunks: AsyncIterable<Buffer>
  /** Of the file as it lies on the disk; absent for a pipe. */
  readonly totalBytes?: number
  /** How many of those bytes have been read. */
  positionBytes(): number
}

const CHUNK_BYTES = 256 * 1_024

/** @throws IngotError INPUT_UNREADABLE when there is no such file, or it is a folder */
export async function openFile(path: string): Promise<Source> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  if (found.isDirectory()) throw unreadable(path, new Error('it is a folder'))
  const source = openStream(createReadStream(path, { highWaterMark: CHUNK_BYTES }), path)
  // a named pipe has no size that says anything
  return found.isFile() ? { ...source, totalBytes: found.size } : source
}

/** `name` stands for the stream in messages. */
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

/** Source: RFC 1952, section 2.3.1. No JSON text begins with these. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

async function* continued(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  yield* rest
}

function unreadable(name: string, cause: unknown): IngotError {
  if (cause instanceof IngotError) return cause
  return new IngotError('INPUT_UNREADABLE', `cannot read "${name}": ${reasonOf(cause)}`, { cause })
}

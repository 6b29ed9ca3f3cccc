/** `ingot export`: all items of a collection into a file that is either complete or not there. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { exportItems } from '../client/export.ts'
import { abortable } from '../std/abort.ts'
import { Fault, reasonOf } from '../std/fault.ts'
import { defineCommand, EXIT, type Io, type Output } from './command.ts'
import { grouped } from './progress.ts'
import { serviceOf, TOKEN_OPTION } from './remote.ts'

export const exportCommand = defineCommand({
  help: `
Writes every item of a collection as a line of JSON (NDJSON), in the order of their creation:
  {"id": "...", "media": "application/json", "firstSeen": "...", "content": <the item>}
An item that is not JSON has "base64" in place of "content". A file appears under its name only when it is complete
and on the disk; one that is there already is replaced then.`,
  examples: [
    'ingot export --from http://127.0.0.1:8080 --collection orders --out orders.ndjson',
    'ingot export --from http://127.0.0.1:8080 --collection orders | gzip > orders.ndjson.gz',
  ],
  options: {
    from: { type: 'string', value: 'URL', summary: 'address of the service', required: true },
    collection: { type: 'string', short: 'c', value: 'NAME', summary: 'collection to write', required: true },
    out: { type: 'string', short: 'o', value: 'FILE', summary: 'file to write; - is standard output', default: '-' },
    ...TOKEN_OPTION,
  },
  async run({ values }, io) {
    const service = serviceOf('from', values.from, values['token-file'])
    const chunks = counted(exportItems({ service, collection: values.collection, clock: io.clock, signal: io.signal }))
    if (values.out === '-') await print(chunks, io)
    else await save(chunks, values.out)
    io.stderr.write(`${grouped(chunks.items())} items\n`)
    return EXIT.fine
  },
})

interface Counted extends AsyncIterable<Buffer> {
  items(): number
}

function counted(chunks: AsyncIterable<Buffer>): Counted {
  let items = 0
  return {
    items: () => items,
    async *[Symbol.asyncIterator]() {
      for await (const chunk of chunks) {
        for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, at + 1)) items++
        yield chunk
      }
    },
  }
}

const LINE_FEED = 0x0a

async function print(chunks: AsyncIterable<Buffer>, { stdout, signal }: Io): Promise<void> {
  for await (const chunk of chunks) if (!stdout.write(chunk)) await drained(stdout, signal)
}

function drained(output: Output, signal: AbortSignal): Promise<void> {
  const room = new Promise<void>((resolve) => {
    output.once('drain', resolve)
  })
  return abortable(room, signal)
}

/** Under another name beside `path` until all of it is on the disk. */
async function save(chunks: AsyncIterable<Buffer>, path: string): Promise<void> {
  const partial = `${path}.${randomUUID()}.part`
  const file = await onDisk(path, () => open(partial, 'wx'))
  try {
    await fill(file, chunks, path)
    await onDisk(path, () => rename(partial, path))
    await onDisk(path, () => syncFolder(dirname(path)))
  } catch (failure) {
    await rm(partial, { force: true })
    throw failure
  }
}

async function fill(file: FileHandle, chunks: AsyncIterable<Buffer>, path: string): Promise<void> {
  try {
    for await (const chunk of chunks) await onDisk(path, () => writeAll(file, chunk))
    await onDisk(path, () => file.sync())
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
}

/** A new name lasts when its folder does. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A step of writing `path`: what fails is the disk's, not the service's. */
async function onDisk<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (cause) {
    throw new Fault('OUTPUT_UNWRITABLE', `cannot write "${path}": ${reasonOf(cause)}`, { cause })
  }
}

/** `ingot export`: writes all items of a collection to a file that is either complete or absent. */
import { exportItems } from '../client/export.ts'
import { printable } from '../std/printable.ts'
import { defineCommand, EXIT, type Io } from './line/command.ts'
import { drained } from './line/output.ts'
import { grouped } from './line/progress.ts'
import { save } from './line/save.ts'
import { compileOnMainThread } from './line/v8.ts'
import { serviceOf, TOKEN_OPTION } from './remote.ts'

export const exportCommand = defineCommand({
  help: `
Writes every item of a collection as one line of JSON (NDJSON), in order of creation:
  {"id": "...", "media": "application/json", "firstSeen": "...", "content": <the item>}
An item that is not JSON has "base64" instead of "content". The file gets its name only when it is complete and synced
to disk; an existing file is replaced only then. A symbolic link is followed; a device or a named pipe is written to
directly. On a terminal, control characters are shown as \\u escapes.

Exit code 1 if the export is incomplete, or the collection does not exist.`,
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
    compileOnMainThread()
    const service = serviceOf('from', values.from, values['token-file'])
    const chunks = counted(exportItems({ service, collection: values.collection, clock: io.clock, signal: io.signal }))
    // a reader that closes the pipe has read what it needs
    const printed = STANDARD_OUTPUT.has(values.out)
    if (printed && !(await print(chunks, io))) return EXIT.fine
    const onNoReader = (): void => void io.stderr.write(`waiting for a reader of the pipe "${values.out}"\n`)
    if (!printed) await save(chunks, values.out, { signal: io.signal, onNoReader })
    io.stderr.write(`${grouped(chunks.items())} items\n`)
    return EXIT.fine
  },
})

/** Names of standard output that cannot be opened as a file if it is a socket. */
const STANDARD_OUTPUT: ReadonlySet<string> = new Set(['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'])

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

/** Returns false if standard output was closed. */
async function print(chunks: AsyncIterable<Buffer>, { stdout, signal }: Io): Promise<boolean> {
  for await (const chunk of stdout.isTTY === true ? escapedText(chunks) : chunks) {
    if (!stdout.write(chunk)) await drained(stdout, signal)
    if (stdout.destroyed) return false
  }
  return true
}

/** Yields the same JSON for a terminal, with its control characters escaped. */
async function* escapedText(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) yield printable(decoder.decode(chunk, { stream: true }))
  yield printable(decoder.decode())
}

/**
 * A thread of the embedded store. The writer's thread processes batches in order, each in a transaction, and responds
 * after its COMMIT. The reader's thread processes reads concurrently. They are threads because SQLite's calls block.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { systemClock, type Timer } from '../../../std/clock.ts'
import { openForReading, openForWriting } from './database.ts'
import { errorCodeOf } from './failure.ts'
import type { Method, Methods, Request, Response } from './protocol.ts'
import { createReader } from './reader.ts'
import { createVersion } from './version.ts'
import { createWriter } from './writer.ts'

export interface StoreThreadData {
  readonly folder: string
  readonly role: 'writer' | 'reader'
}

type Handlers = { readonly [M in Method]?: (args: Methods[M]['args']) => Methods[M]['result'] }

function writerHandlers(folder: string): Handlers {
  const db = openForWriting(folder)
  const writer = createWriter(db)
  const versions = createVersion(db)
  const filling = fillInBackground(() => writer.fill())
  return {
    put: ({ batch, nowMs }) => writer.transaction(() => writer.put(batch, nowMs)),
    collection: ({ name }) => writer.policy(name),
    define: ({ name, policy }) => writer.transaction(() => writer.define(name, policy)),
    delete: ({ collection, key }) => writer.transaction(() => writer.delete(collection, key)),
    deleteCollection: ({ collection, nowMs }) =>
      writer.transaction(() => writer.deletions.deleteCollection(collection, nowMs)),
    deletion: ({ collection, id }) => writer.deletions.deletion(collection, id),
    purge: ({ nowMs, after }) => writer.transaction(() => writer.deletions.purge(nowMs, after)),
    version: ({ collection }) => versions.version(collection),
    beginEpoch: () => versions.beginEpoch(),
    check: () => voidOf(() => writer.check()),
    close() {
      filling.cancel()
      db.close()
      return undefined
    },
  }
}

function readerHandlers(folder: string): Handlers {
  const db = openForReading(folder)
  const reader = createReader(db)
  return {
    get: ({ collection, key }) => reader.get(collection, key),
    collections: ({ after, limit }) => reader.collections(after, limit),
    list: ({ collection, after, limit }) => reader.list(collection, after, limit),
    close: () => voidOf(() => db.close()),
  }
}

/** Pause between two steps of filling, in milliseconds. Waiting batches go first. */
const FILL_PAUSE_MS = 10

/** Repeats `step` until it returns false. After a failed step, it stops until the next start. */
function fillInBackground(step: () => boolean): Timer {
  let timer = systemClock.timer(FILL_PAUSE_MS, run)
  function run(): void {
    try {
      if (step()) timer = systemClock.timer(FILL_PAUSE_MS, run)
    } catch {
      // requests for the unreadable rows get an error
    }
  }
  return { cancel: () => timer.cancel() }
}

function voidOf(work: () => void): undefined {
  work()
}

function failure(seq: number, thrown: unknown): Response {
  const message = thrown instanceof IngotError ? thrown.message : `the embedded store failed: ${reasonOf(thrown)}`
  return { seq, ok: false, code: errorCodeOf(thrown), message }
}

function respond(handlers: Handlers, request: Request): Response {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a Request's method and args belong together
    const handle = handlers[request.method] as ((args: Request['args']) => unknown) | undefined
    if (handle === undefined) throw new RangeError(`no method ${request.method} here`)
    return { seq: request.seq, ok: true, value: handle(request.args) }
  } catch (thrown) {
    return failure(request.seq, thrown)
  }
}

function serve(port: NonNullable<typeof parentPort>, data: StoreThreadData): void {
  const handlers = data.role === 'writer' ? writerHandlers(data.folder) : readerHandlers(data.folder)
  port.on('message', (request: Request) => {
    port.postMessage(respond(handlers, request))
    if (request.method === 'close') port.close()
  })
  port.postMessage({ seq: 0, ok: true, value: undefined } satisfies Response)
}

if (parentPort !== null) {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- set by thread.ts, which alone starts this file
    serve(parentPort, workerData as StoreThreadData)
  } catch (thrown) {
    parentPort.postMessage(failure(0, thrown))
  }
}

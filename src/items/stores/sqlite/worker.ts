/**
 * A thread of the embedded store. The writer's thread takes batches one after another, each in a transaction, and
 * answers after its COMMIT; the reader's answers questions meanwhile. SQLite's calls block, which is why they are here.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { systemClock, type Timer } from '../../../std/clock.ts'
import { openForReading, openForWriting } from './database.ts'
import { codeOf } from './failure.ts'
import type { Answer, Method, Methods, Request } from './protocol.ts'
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
  const filling = fillAtLeisure(() => writer.fill())
  return {
    put: ({ batch, nowMs }) => writer.transaction(() => writer.put(batch, nowMs)),
    collection: ({ name }) => writer.policy(name),
    define: ({ name, policy }) => writer.transaction(() => writer.define(name, policy)),
    delete: ({ collection, key }) => writer.transaction(() => writer.delete(collection, key)),
    version: ({ collection }) => versions.version(collection),
    beginEpoch: () => versions.beginEpoch(),
    check: () => done(() => writer.check()),
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
    list: ({ collection, after, limit }) => reader.list(collection, after, limit),
    close: () => done(() => db.close()),
  }
}

/** Between two steps of filling, milliseconds: batches that wait go first. */
const FILL_PAUSE_MS = 10

/** Calls `step` again and again until it returns false. A step that fails is the last one until the next start. */
function fillAtLeisure(step: () => boolean): Timer {
  let timer = systemClock.timer(FILL_PAUSE_MS, run)
  function run(): void {
    try {
      if (step()) timer = systemClock.timer(FILL_PAUSE_MS, run)
    } catch {
      // what cannot be read now is reported to those who ask for it
    }
  }
  return { cancel: () => timer.cancel() }
}

function done(work: () => void): undefined {
  work()
}

function failure(seq: number, thrown: unknown): Answer {
  const message = thrown instanceof IngotError ? thrown.message : `the embedded store failed: ${reasonOf(thrown)}`
  return { seq, ok: false, code: codeOf(thrown), message }
}

function answer(handlers: Handlers, request: Request): Answer {
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
    port.postMessage(answer(handlers, request))
    if (request.method === 'close') port.close()
  })
  port.postMessage({ seq: 0, ok: true, value: undefined } satisfies Answer)
}

if (parentPort !== null) {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- given by thread.ts, which alone starts this file
    serve(parentPort, workerData as StoreThreadData)
  } catch (thrown) {
    parentPort.postMessage(failure(0, thrown))
  }
}

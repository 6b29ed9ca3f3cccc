import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { fenceStoreContract } from './contract.ts'
import { openSqliteFences } from './sqlite.ts'

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'ingot-fences-'))

fenceStoreContract('sqlite', async () => {
  const path = await folder()
  return {
    open: async () => openSqliteFences(join(path, 'fences.db')),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  }
})

test('rejects a file that is not a fence store, with the reason', async () => {
  const path = await folder()
  await writeFile(join(path, 'x.db'), 'not a database, but long enough to be mistaken for one'.repeat(20))
  expect(() => openSqliteFences(join(path, 'x.db'))).toThrow(IngotError)
  expect(() => openSqliteFences(join(path, 'none', 'x.db'))).toThrow('the fence file')
  await rm(path, { recursive: true })
})

/** Holds the write lock of a new file without a write-ahead log, and releases it some time after the message. */
const WRITER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { DatabaseSync } = require('node:sqlite')
  const database = new DatabaseSync(workerData)
  database.exec('BEGIN IMMEDIATE')
  parentPort.once('message', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    database.exec('COMMIT')
    database.close()
  })
  parentPort.postMessage('held')
`

test('waits for another process that opens a new file at the same time', async () => {
  const path = await folder()
  const file = join(path, 'fences.db')
  const writer = new Worker(WRITER, { eval: true, workerData: file })
  await once(writer, 'message')
  writer.postMessage('let go')
  // it blocks this thread until the writer is done
  await using store = openSqliteFences(file)
  expect(await store.nextFence('key', AbortSignal.timeout(10_000))).toBe(1n)
  await writer.terminate()
  await rm(path, { recursive: true })
})

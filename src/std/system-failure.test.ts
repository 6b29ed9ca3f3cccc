import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { systemRemedy } from './system-failure.ts'

const folder = temporaryFolder()

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (thrown) {
    return thrown
  }
  throw new Error('nothing was thrown')
}

test('real failures of the system have a remedy, also below a error', () => {
  const isFolder = thrownBy(() => readFileSync(folder))
  expect(systemRemedy(isFolder)).toContain('it is a folder')
  expect(systemRemedy(new IngotError('OUTPUT_UNWRITABLE', 'no', { cause: isFolder }))).toContain('it is a folder')
  expect(systemRemedy(thrownBy(() => openSync(join(folder, 'x'.repeat(300)), 'w')))).toContain('shorter path')
})

test('a database that takes no writes has that of its file system', () => {
  const path = join(folder, 'db.sqlite')
  new DatabaseSync(path).close()
  const db = new DatabaseSync(path, { readOnly: true })
  expect(systemRemedy(thrownBy(() => db.exec('CREATE TABLE t (a)')))).toContain('read-only')
  db.close()
})

test('so has one that came from another thread as words', () => {
  const error = new IngotError('STORE_UNAVAILABLE', 'the embedded store failed: database or disk is full')
  expect(systemRemedy(error)).toContain('the disk is full')
})

test('an error that only looks like one has none', () => {
  expect(systemRemedy(Object.assign(new Error('x'), { code: 'EROFS' }))).toBeUndefined()
  expect(systemRemedy(new IngotError('INTERNAL', 'x'))).toBeUndefined()
  expect(systemRemedy(thrownBy(() => mkdirSync(join(folder, 'none', 'below'))))).toBeUndefined()
  expect(systemRemedy('EROFS')).toBeUndefined()
})

test('a chain of causes that leads back to itself ends', () => {
  const first = new Error('a')
  first.cause = new Error('b', { cause: first })
  expect(systemRemedy(first)).toBeUndefined()
})

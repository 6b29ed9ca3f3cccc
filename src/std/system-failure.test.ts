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

test('finds the remedy of real failures of the system, also below an error', () => {
  const isFolder = thrownBy(() => readFileSync(folder))
  expect(systemRemedy(isFolder)).toContain('it is a folder')
  expect(systemRemedy(new IngotError('OUTPUT_UNWRITABLE', 'no', { cause: isFolder }))).toContain('it is a folder')
  expect(systemRemedy(thrownBy(() => openSync(join(folder, 'x'.repeat(300)), 'w')))).toContain('shorter path')
})

test('finds the remedy of its file system for a read-only database', () => {
  const path = join(folder, 'db.sqlite')
  new DatabaseSync(path).close()
  const db = new DatabaseSync(path, { readOnly: true })
  expect(systemRemedy(thrownBy(() => db.exec('CREATE TABLE t (a)')))).toContain('read-only')
  db.close()
})

test('finds the remedy from the message alone, for an error from another thread', () => {
  const error = new IngotError('STORE_UNAVAILABLE', 'the embedded store failed: database or disk is full')
  expect(systemRemedy(error)).toContain('the disk is full')
})

test('finds none for an error that only looks similar', () => {
  expect(systemRemedy(Object.assign(new Error('x'), { code: 'EROFS' }))).toBeUndefined()
  expect(systemRemedy(new IngotError('INTERNAL', 'x'))).toBeUndefined()
  expect(systemRemedy(thrownBy(() => mkdirSync(join(folder, 'none', 'below'))))).toBeUndefined()
  expect(systemRemedy('EROFS')).toBeUndefined()
})

test('stops at a cycle in the chain of causes', () => {
  const first = new Error('a')
  first.cause = new Error('b', { cause: first })
  expect(systemRemedy(first)).toBeUndefined()
})

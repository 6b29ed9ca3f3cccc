import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../testing/folder.ts'
import { openSqliteRegister, readSqliteRegister } from '../workloads/sqlite-register.ts'
import { parseAuditLog, readAuditLog } from './audit-log.ts'
import { readPostgresStore } from './postgres.ts'
import { readSqliteStore } from './sqlite.ts'

const folder = temporaryFolder()
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const save = (key: string, content: string, fence?: string): string =>
  JSON.stringify({ type: 'save', collection: 'c', key, content: Buffer.from(content).toString('base64'), fence })

test('an audit log holds its saves in order, and its rows are the first save of each key', () => {
  const look = JSON.stringify({ type: 'look', collection: 'c', key: 'a', fence: '3' })
  const { rows, saves, fencing } = parseAuditLog([save('a', 'x', '3'), look, save('a', 'y'), ''].join('\n'), 'on')
  const first = { collection: 'c', id: 'a', bytes: sha256('x'), fence: '3' }
  expect(rows).toEqual([first])
  expect(saves).toEqual([first, { collection: 'c', id: 'a', bytes: sha256('y') }])
  expect(fencing).toBe('on')
})

test('a crash may have truncated the last line of an audit log', () => {
  const { saves } = parseAuditLog(`${save('a', 'x')}\n${save('b', 'y').slice(0, 30)}`, 'on')
  expect(saves?.map(({ id }) => id)).toEqual(['a'])
})

test('a malformed audit log is refused with the number of the line', async () => {
  expect(() => parseAuditLog(`${save('a', 'x')}\n{"type":"save"}\n`, 'on')).toThrow(/line 2 of the audit log/)
  await expect(readAuditLog(join(folder, 'none'), 'on', AbortSignal.timeout(1_000))).rejects.toThrow(/cannot read/)
})

test('rows of Postgres get the ids of the responses', async () => {
  const id = Buffer.from('j1').toString('hex') + 'ab'.repeat(32)
  const store = await readPostgresStore(async (sql) => (sql.includes('FROM') ? [{ name: 'c', id, bytes: 'd' }] : []))
  expect(store.rows).toEqual([{ collection: 'c', id: `j1-${'ab'.repeat(32)}`, bytes: 'd' }])
})

test('a folder without a store is refused', () => {
  expect(() => readSqliteStore(folder)).toThrow(/there is no items.sqlite/)
})

test('the register refuses fences lower than a lookup, and logs accepted writes', () => {
  const path = join(folder, 'register.sqlite')
  using register = openSqliteRegister(path)
  expect(register.lookup('r', 5n)).toBe(0)
  expect(register.write('r', 1, 4n)).toBe('stale')
  expect(register.write('r', 1, 5n)).toBe('written')
  expect(register.lookup('r', 4n)).toBe('stale')
  expect(register.lookup('r', 2n ** 62n)).toBe(1)
  expect(register.write('r', 2, 2n ** 62n)).toBe('written')
  expect(readSqliteRegister(path)).toEqual([
    { key: 'r', value: '1', fence: '5' },
    { key: 'r', value: '2', fence: String(2n ** 62n) },
  ])
  expect(() => readSqliteRegister(join(folder, 'no', 'file'))).toThrow(/cannot read the register/)
})

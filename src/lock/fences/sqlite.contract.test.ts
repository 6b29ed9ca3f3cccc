import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Fault } from '../../std/fault.ts'
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

test('says what is wrong with a file that is no fence store', async () => {
  const path = await folder()
  await writeFile(join(path, 'x.db'), 'not a database, but long enough to be taken for one by its length'.repeat(20))
  expect(() => openSqliteFences(join(path, 'x.db'))).toThrow(Fault)
  expect(() => openSqliteFences(join(path, 'none', 'x.db'))).toThrow('the fence file')
  await rm(path, { recursive: true })
})

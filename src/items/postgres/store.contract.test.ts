import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../testing/postgres-server.ts'
import { type Absent, present } from '../../testing/present.ts'
import { storeContract } from '../contract.ts'
import { openPostgresStore } from './store.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

storeContract('postgres', async () => {
  if ('absent' in server) return server
  return openPostgresStore({ url: await server.database() })
})

test('xx', ({ skip }) => {
  expect(present(server, skip)).toBeDefined()
})

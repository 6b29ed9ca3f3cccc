import { expect, test } from 'vitest'
import { startPostgres } from '../../testing/postgres/server.ts'
import { fenceStoreContract } from './contract.ts'
import { openPostgresFences } from './postgres.ts'

const soon = (): AbortSignal => AbortSignal.timeout(20_000)

fenceStoreContract('postgres', async () => {
  const server = await startPostgres()
  if ('absent' in server) return server
  return {
    open: () => openPostgresFences(server.url, soon()),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
})

test('reports a missing server without showing the password', async () => {
  const outcome = openPostgresFences('postgres://u:secret-word@127.0.0.1:1/x', soon())
  await expect(outcome).rejects.toMatchObject({ code: 'FENCE_STORE_UNAVAILABLE' })
  await expect(outcome).rejects.not.toThrow('secret-word')
})

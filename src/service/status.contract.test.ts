import { expect, test } from 'vitest'
import { startPostgres } from '../testing/postgres/server.ts'
import { present } from '../testing/present.ts'
import { loadServiceConfig } from './config.ts'
import { createService } from './service.ts'

test('the status of a replica on Postgres has the connections to it', async ({ skip }) => {
  await using server = present(await startPostgres(), skip)
  const config = loadServiceConfig({
    INGOT_STORE_URL: await server.database(),
    INGOT_ACCESS: 'off',
    INGOT_LISTEN: '127.0.0.1:0',
  })
  await using service = await createService(config)
  const { statusCode, body } = await service.app.inject('/v1/status')
  expect(statusCode).toBe(200)
  const { store } = JSON.parse(body) as { store: { kind: string; pool: Readonly<Record<string, number>> } }
  expect(store).toMatchObject({ kind: 'postgres', pool: { waiting: 0 } })
  const { idle = 0, used = 0, limit = 0 } = store.pool
  expect(idle + used).toBeGreaterThan(0)
  expect(idle + used).toBeLessThanOrEqual(limit)
})

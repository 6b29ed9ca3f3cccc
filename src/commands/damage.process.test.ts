/**
 * One flipped bit in the data of a real service, and of a sabotaged service that returns it: this proves that the check
 * can fail.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import type { FailpointName } from '../std/failpoint.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { ask, jsonOf } from '../testing/http/requests.ts'
import { startService } from '../testing/service.ts'

const folder = temporaryFolder()
const ITEMS = '/v1/collections/things/items'

async function served(data: string, id: string, failpoints: readonly FailpointName[]): Promise<readonly number[]> {
  await using service = await startService({ data, failpoints })
  const one = await ask(`${service.url}${ITEMS}/${id}`)
  const page = await ask(`${service.url}${ITEMS}`)
  const whole = await ask(`${service.url}${ITEMS}`, { headers: { accept: 'application/x-ndjson' } })
  return [one.status, page.status, whole.status]
}

test('GET, list and export refuse a flipped bit; without the checksum comparison they return it', async () => {
  const data = join(folder, 'data')
  const id = await storeOne(data)
  expect(await served(data, id, [])).toEqual([200, 200, 200])
  const db = new DatabaseSync(join(data, 'items.sqlite'))
  db.exec(`UPDATE items SET content = CAST('{"n":3}' AS BLOB) WHERE CAST(content AS TEXT) = '{"n":2}'`)
  db.close()
  expect(await served(data, id, [])).toEqual([500, 500, 500])
  expect(await served(data, id, ['store/serve-damaged'])).toEqual([200, 200, 200])
})

async function storeOne(data: string): Promise<string> {
  await using service = await startService({ data })
  const headers = { 'content-type': 'application/json' }
  const answer = await ask(`${service.url}${ITEMS}`, { method: 'POST', headers, body: '{"n":2}' })
  return jsonOf<{ readonly id: string }>(answer).id
}

import { createHash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import { MAX_OPEN_DELETIONS } from '../../items/collection-deletion.ts'
import { item } from '../../items/contract.ts'
import { createMemoryStore } from '../../items/stores/memory/store.ts'
import { openTestApp, overStore } from '../../testing/app.ts'
import { tokenAccess } from '../access.ts'

const THINGS = '/v1/collections/things'
const ITEMS = `${THINGS}/items`

type App = Awaited<ReturnType<typeof openTestApp>>['app']

const remove = (app: App, url = THINGS, headers: Record<string, string> = {}) =>
  app.inject({ method: 'DELETE', url, headers })

/** A memory store whose purge waits for `release`, with 1200 items in the collection `things`. */
async function openSlow() {
  const inner = createMemoryStore()
  const released = Promise.withResolvers<void>()
  const store = overStore(inner, {
    async purge(nowMs, after) {
      await released.promise
      return inner.purge(nowMs, after)
    },
  })
  const items = Array.from({ length: 1_200 }, (_, n) => item(n))
  await inner.put([{ collection: { name: 'things', policy: DEFAULT_POLICY }, items }], 1)
  const service = await openTestApp({ store })
  // before the service is closed, because that waits for the purge
  onTestFinished(() => released.resolve())
  return { ...service, inner, release: () => released.resolve() }
}

test('deletes a small collection within the request', async () => {
  const service = await openTestApp()
  await service.post(`${ITEMS}:batch`, '[1, 2, 3]')
  await service.post('/v1/collections/others/items', '1')
  const response = await remove(service.app)
  expect(response.statusCode).toBe(200)
  expect(response.json()).toEqual({
    collection: 'things',
    deletion: '1',
    state: 'complete',
    deletedItems: 3,
    started: expect.stringMatching(/Z$/) as string,
    ended: expect.stringMatching(/Z$/) as string,
  })
  expect(await service.stored('things')).toEqual([])
  expect(await service.stored('others')).toEqual(['1'])
  expect((await service.get(THINGS)).json()).toEqual({ collection: 'things', policy: { kind: 'json' } })
})

test('reports each content as new after the deletion, also one that was just saved', async () => {
  const service = await openTestApp()
  await service.post(ITEMS, '1')
  expect((await service.post(ITEMS, '1')).json()).toMatchObject({ status: 'duplicate', foundBy: 'memory' })
  await remove(service.app)
  expect((await service.post(ITEMS, '1')).json()).toMatchObject({ status: 'created' })
  expect((await service.post(ITEMS, '1')).json()).toMatchObject({ status: 'duplicate', foundBy: 'memory' })
})

test('has nothing to delete in an empty collection, and refuses an unknown one', async () => {
  const service = await openTestApp()
  expect((await remove(service.app)).json()).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  await service.post(ITEMS, '1')
  await remove(service.app)
  const again = await remove(service.app)
  expect(again.statusCode).toBe(200)
  expect(again.json()).toEqual({ collection: 'things', state: 'complete', deletedItems: 0 })
})

test('continues a large deletion in the background, and reports its progress', async () => {
  const service = await openSlow()
  const response = await remove(service.app, THINGS, { prefer: 'wait=0' })
  expect(response.statusCode).toBe(202)
  expect(response.headers).toMatchObject({ location: `${THINGS}/deletions/1`, 'retry-after': '1' })
  expect(response.json()).toMatchObject({ state: 'running', deletedItems: 0 })
  expect((await service.post(ITEMS, '7')).json()).toMatchObject({ status: 'created' })
  service.release()
  await expect.poll(async () => (await service.get(`${THINGS}/deletions/1`)).body).toContain('"state":"complete"')
  expect(await service.inner.deletion('things', '1')).toMatchObject({ deletedItems: 1_200 })
  expect(await service.stored('things')).toEqual(['7'])
  expect((await service.get('/metrics')).body).toMatch(/^ingot_purged_items_total 1200$/m)
  expect((await service.get('/metrics')).body).toMatch(/^ingot_open_deletions 0$/m)
})

test('a second request joins the deletion, unless items were saved after the first', async () => {
  const service = await openSlow()
  const ids = []
  for (let n = 0; n < 2; n++) ids.push((await remove(service.app, THINGS, { prefer: 'wait=0' })).json())
  await service.post(ITEMS, '7')
  ids.push((await remove(service.app, THINGS, { prefer: 'wait=0' })).json())
  expect(ids).toMatchObject([{ deletion: '1' }, { deletion: '1' }, { deletion: '2' }])
  service.release()
})

test('returns the progress when the service begins to drain', async () => {
  const service = await openSlow()
  const response = remove(service.app, THINGS, { prefer: 'wait=30' })
  await expect.poll(async () => (await service.app.inject(`${THINGS}/deletions/1`)).statusCode).toBe(200)
  service.drain()
  expect((await response).statusCode).toBe(202)
})

test('requires the right "delete" on the collection, also for the progress', async () => {
  const tokens = [
    { name: 'drill', sha256: createHash('sha256').update('drill').digest('hex'), collections: { things: ['delete'] } },
    { name: 'loader', sha256: createHash('sha256').update('loader').digest('hex'), collections: { '*': ['write'] } },
  ] as const
  const service = await openTestApp({ authenticate: tokenAccess(tokens) })
  const drill = { authorization: 'Bearer drill' }
  const loader = { authorization: 'Bearer loader' }
  await service.post(ITEMS, '1', loader)
  await service.post('/v1/collections/others/items', '1', loader)
  expect((await remove(service.app, THINGS)).statusCode).toBe(401)
  for (const [url, headers] of [
    [THINGS, loader],
    ['/v1/collections/others', drill],
  ] as const) {
    expect((await remove(service.app, url, headers)).json()).toMatchObject({ status: 403, code: 'TOKEN_REFUSED' })
  }
  expect((await remove(service.app, THINGS, drill)).json()).toMatchObject({ deletedItems: 1 })
  const progress = { method: 'GET', url: `${THINGS}/deletions/1` } as const
  expect((await service.app.inject({ ...progress, headers: loader })).statusCode).toBe(403)
  expect((await service.app.inject({ ...progress, headers: drill })).json()).toMatchObject({ state: 'complete' })
})

test('refuses a deletion while too many are running', async () => {
  const service = await openSlow()
  for (let n = 0; n < MAX_OPEN_DELETIONS; n++) await service.post(`/v1/collections/c${n}/items`, '1')
  const responses = [THINGS, ...Array.from({ length: MAX_OPEN_DELETIONS }, (_, n) => `/v1/collections/c${n}`)].map(
    (url) => remove(service.app, url, { prefer: 'wait=0' }),
  )
  const statuses = (await Promise.all(responses)).map(({ statusCode }) => statusCode)
  expect(statuses.filter((status) => status === 202)).toHaveLength(MAX_OPEN_DELETIONS)
  expect(statuses.filter((status) => status === 429)).toHaveLength(1)
  service.release()
})

test.each(['Things', '..', 'a%2Fb', '%00', 'deleted:1', 'ä', 'x'.repeat(65)])('refuses the name %s', async (name) => {
  const service = await openTestApp()
  const response = await remove(service.app, `/v1/collections/${encodeURI(name)}`)
  expect(response.statusCode).toBeGreaterThanOrEqual(400)
  expect(response.statusCode).toBeLessThan(500)
})

test.each(['0', 'x', '2', '1e0', '%201'])('has no deletion %s', async (id) => {
  const service = await openTestApp()
  await service.post(ITEMS, '1')
  await remove(service.app)
  expect((await service.app.inject(`${THINGS}/deletions/${id}`)).json()).toMatchObject({ code: 'DELETION_NOT_FOUND' })
})

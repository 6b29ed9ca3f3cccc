/** The state of `/readyz` in front of an http store, and the responses to requests meanwhile. DECISIONS.md 18. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createScope } from '../std/scope.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { type Answer, ask, jsonOf } from '../testing/http/requests.ts'
import { present } from '../testing/present.ts'
import { startLegacyStore } from '../testing/proofs/torture/legacy-store.ts'
import { startStandalone } from '../testing/redis/servers.ts'
import { startService } from '../testing/service.ts'
import { freePorts } from '../testing/tcp/ports.ts'

const folder = temporaryFolder()

async function until(what: string, attempt: () => Promise<Answer>, status: number): Promise<Answer> {
  for (const endMs = performance.now() + 20_000; ; await sleep(200)) {
    const answer = await attempt()
    if (answer.status === status) return answer
    if (performance.now() > endMs) throw new Error(`${what} still answers ${answer.status}: ${answer.body.toString()}`)
  }
}

test('an unavailable lock service keeps replicas ready: writes are refused, reads go on; an unavailable store does not', async ({
  skip,
}) => {
  await using scope = createScope()
  const redis = present(await startStandalone(), skip)
  scope.defer(() => redis[Symbol.asyncDispose]())
  const [port = 0] = await freePorts(1)
  const legacy = await startLegacyStore({ folder, port, latencyMs: 1, fencing: 'on' })
  scope.defer(() => legacy[Symbol.asyncDispose]())
  const env = { ...legacy.env(port), INGOT_LOCK_URL: redis.url, INGOT_LOCK_WAIT: '1s' }
  const service = await startService({ data: join(folder, 'data'), env })
  scope.defer(async () => void (await service.kill()))

  const items = `${service.url}/v1/collections/things/items`
  const ready = (): Promise<Answer> => ask(`${service.url}/readyz`)
  const save = (body: string): Promise<Answer> =>
    ask(items, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const { id } = jsonOf<{ id: string }>(await until('a first save', () => save('1'), 201))

  const [server = 0] = redis.ports
  await redis.signal(server, 'KILL')
  const refused = await until('a save without locks', () => save('2'), 503)
  expect(jsonOf<{ code: string }>(refused).code).toMatch(/^(LOCK|REDIS)_/)
  expect(refused.headers['retry-after']).toBe('1')
  expect((await ready()).status).toBe(200)
  const read = await ask(`${items}/${id}`)
  expect(read.body.toString()).toBe('1')
  // the backend does not report the time, and no time is better than a wrong one
  expect(read.headers['last-modified']).toBeUndefined()

  await redis.restart(server)
  await until('a save after it', () => save('2'), 201)
  await legacy.kill()
  await until('readiness without the store', ready, 503)
})

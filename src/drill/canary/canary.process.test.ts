import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../testing/folder.ts'
import { present } from '../../testing/present.ts'
import { endProcesses, startIngot } from '../../testing/process.ts'
import { type RedisServers, startStandalone } from '../../testing/redis-servers.ts'
import { checkersOf } from '../check/checkers.ts'
import { judge } from '../check/verdict.ts'
import { readHistory } from '../history.ts'

endProcesses()
const folder = temporaryFolder()

/** A canary beside a server to which something happens; what its history says. */
async function watch(name: string, redis: RedisServers, happen: () => Promise<unknown>) {
  const out = join(folder, `${name}.ndjson`)
  const stop = join(folder, `${name}.stop`)
  const canary = startIngot(['drill', 'canary', '--lock', redis.url, '--ttl', '3s', '--out', out, '--stop-file', stop])
  await sleep(3_000)
  await happen()
  await sleep(2_500)
  canary.kill('SIGTERM')
  const { code, stderr } = await canary.finished
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const options = { recoveryMs: 1, locks: false, canary: true, redisLoss: 'forbid', faults: false } as const
  return judge(checkersOf(options), readHistory(out).events, { rows: [] }).checks
}

test('a server that keeps what it acknowledges loses nothing', async ({ skip }) => {
  await using redis = present(await startStandalone(), skip)
  const checks = await watch('kept', redis, async () => {})
  expect(checks['canary-whole']).toMatchObject({ kind: 'valid' })
  expect(checks['canary-writes']).toMatchObject({ kind: 'valid', figures: { lost: 0 } })
  expect(checks['canary-grants']).toMatchObject({ kind: 'valid', figures: { overlapping: 0, fencesFallen: 0 } })
})

test('a server that forgets everything is found out: writes, grants and fences', async ({ skip }) => {
  await using redis = present(await startStandalone(), skip)
  const checks = await watch('lost', redis, () => redis.cli(redis.ports[0] ?? 0, 'flushall'))
  expect(checks['canary-whole']).toMatchObject({ kind: 'valid' })
  for (const name of ['canary-writes', 'canary-grants']) expect(checks[name]).toMatchObject({ kind: 'violated' })
  expect(checks['canary-writes']?.figures['lost']).toBeGreaterThan(20)
  expect(checks['canary-grants']?.figures['fencesFallen']).toBeGreaterThan(0)
})

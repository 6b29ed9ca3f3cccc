import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../../../std/until.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import { present } from '../../../testing/present.ts'
import { endProcesses, startIngot } from '../../../testing/process.ts'
import { type RedisServers, startStandalone } from '../../../testing/redis/servers.ts'
import { checkersOf } from '../../checkers/all.ts'
import { judge } from '../../checkers/verdict.ts'
import { readHistory } from '../../history.ts'

endProcesses()
const folder = temporaryFolder()

/** Resolves when the canary, at 20 writes per second, has the given number of writes and grants more than `since`. */
async function untilSeen(
  out: string,
  { sets, grants }: Counts,
  since: Counts = { sets: 0, grants: 0 },
): Promise<Counts> {
  const look = async () => {
    const seen = await countsOf(out)
    const enough = seen.sets - since.sets >= sets && seen.grants - since.grants >= grants
    return enough
      ? { value: seen }
      : { missing: `${sets} writes and ${grants} grants more than ${JSON.stringify(since)}` }
  }
  return until(look, { withinMs: 30_000, everyMs: 100 })
}

interface Counts {
  readonly sets: number
  readonly grants: number
}

async function countsOf(out: string): Promise<Counts> {
  const lines = (await readFile(out, 'utf8')).split('\n').filter((line) => line.includes('"type":"ok"'))
  const count = (f: string): number => lines.filter((line) => line.includes(`"f":"${f}"`)).length
  return { sets: count('set'), grants: count('acquire') }
}

/** Runs a canary beside a server while `happen` runs. Resolves with its history. */
async function watch(name: string, redis: RedisServers, happen: () => Promise<unknown>) {
  const out = join(folder, `${name}.ndjson`)
  const stop = join(folder, `${name}.stop`)
  const canary = startIngot(['drill', 'canary', '--lock', redis.url, '--ttl', '3s', '--out', out, '--stop-file', stop])
  const before = await untilSeen(out, { sets: 50, grants: 20 })
  await happen()
  await untilSeen(out, { sets: 20, grants: 20 }, before)
  canary.kill('SIGTERM')
  const { code, stderr } = await canary.finished
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const options = { recoveryMs: 1, locks: false, canary: true, redisLoss: 'forbid', faults: false } as const
  return judge(checkersOf(options), readHistory(out).events, { rows: [] }).checks
}

test('a server that keeps its acknowledged writes loses nothing', async ({ skip }) => {
  await using redis = present(await startStandalone(), skip)
  const checks = await watch('kept', redis, async () => {})
  expect(checks['canary-whole']).toMatchObject({ kind: 'valid' })
  expect(checks['canary-writes']).toMatchObject({ kind: 'valid', figures: { lost: 0 } })
  expect(checks['canary-grants']).toMatchObject({ kind: 'valid', figures: { overlapping: 0, fencesFallen: 0 } })
})

test('a server that loses all its data is detected by writes, grants and fences', async ({ skip }) => {
  await using redis = present(await startStandalone(), skip)
  const checks = await watch('lost', redis, () => redis.cli(redis.ports[0] ?? 0, 'flushall'))
  expect(checks['canary-whole']).toMatchObject({ kind: 'valid' })
  for (const name of ['canary-writes', 'canary-grants']) expect(checks[name]).toMatchObject({ kind: 'violated' })
  expect(checks['canary-writes']?.figures['lost']).toBeGreaterThan(20)
  expect(checks['canary-grants']?.figures['fencesFallen']).toBeGreaterThan(0)
})

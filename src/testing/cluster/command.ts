/**
 * `npm run cluster`: three replicas of the service, Postgres and Redis under Sentinel, all on this machine and behind
 * one address. Postgres and Redis run in Docker. Ctrl-C ends all of it and leaves nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createScope, type Scope } from '../../std/scope.ts'
import { removeContainersOurselves } from '../containers.ts'
import { startPostgres } from '../postgres-server.ts'
import { needed } from '../present.ts'
import { startSentinel } from '../redis-servers.ts'
import { type Service, startService } from '../service.ts'
import { startBalancer } from './balancer.ts'

const REPLICAS = 3
/** Longest life of the Redis servers, should this program be killed: a week. */
const LIFE_SECONDS = 7 * 24 * 3_600
const PORT = process.env['INGOT_CLUSTER_PORT'] ?? '8080'

removeContainersOurselves()

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

async function startReplicas(scope: Scope, env: Record<string, string>): Promise<readonly Service[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-cluster-'))
  scope.defer(() => rmSync(folder, { recursive: true, force: true }))
  // at once: their migrations take turns by themselves
  const starts = Array.from({ length: REPLICAS }, async (_, n) => {
    const service = await startService({ data: join(folder, String(n)), env })
    scope.defer(async () => void (await service.stop()))
    return service
  })
  // when one fails, the others are still to be ended
  await Promise.allSettled(starts)
  return Promise.all(starts)
}

/** Throws before anything is started when the address is taken. */
async function startAddress(scope: Scope, replicas: readonly Service[]): Promise<string> {
  if (!/^\d{1,5}$/.test(PORT)) throw new Error(`INGOT_CLUSTER_PORT is "${PORT}", write a port`)
  const balancer = await startBalancer(Number(PORT), () => replicas.map(({ url }) => Number(new URL(url).port)))
  scope.defer(() => balancer[Symbol.asyncDispose]())
  return balancer.url
}

async function main(stop: Promise<void>): Promise<void> {
  await using scope = createScope()
  const replicas: Service[] = []
  const address = await startAddress(scope, replicas)
  say('starting Postgres and Redis (three Sentinels, a master, two replicas) in Docker')
  const [postgres, redis] = await Promise.all([
    needed(scope, 'Postgres', startPostgres()),
    needed(scope, 'Redis', startSentinel({ lifeSeconds: LIFE_SECONDS })),
  ])
  const env = {
    INGOT_STORE_URL: postgres.url,
    INGOT_LOCK_URL: redis.url,
    INGOT_LOCK_FENCES: postgres.url,
    INGOT_CACHE_URL: redis.url,
    INGOT_LOCK_MODE: process.env['INGOT_LOCK_MODE'] ?? 'auto',
  }
  replicas.push(...(await startReplicas(scope, env)))
  say(`\ningot, ${REPLICAS} replicas   ${address}`)
  for (const replica of replicas) say(`  replica             ${replica.url}`)
  say(`  Postgres            ${postgres.url}\n  Redis               ${redis.url}`)
  say(`\nSend the same item to all of them at once:
  for i in 1 2 3 4 5 6; do curl -s ${address}/v1/collections/orders/items -H 'content-type: application/json' -d '{"order": 1}' & done; wait

Ctrl-C ends all.`)
  await stop
  say('\nending')
}

try {
  await main(interrupted())
} catch (thrown) {
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  const remedy = why.includes(`:${PORT}`) ? '; name another port with INGOT_CLUSTER_PORT' : ''
  process.stderr.write(`the cluster cannot run: ${why}${remedy}\n`)
  process.exitCode = 1
}

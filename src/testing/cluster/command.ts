/**
 * `npm run cluster`: starts three replicas of the service behind one address, Postgres, and Redis under Sentinel, all on
 * this machine. Postgres and Redis run in Docker. Ctrl-C ends and removes all of it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createScope, type Scope } from '../../std/scope.ts'
import { removeContainersOurselves } from '../containers.ts'
import { startPostgres } from '../postgres/server.ts'
import { needed } from '../present.ts'
import { defineCommand, EXIT, type ExitCode, type Io, orSay, runProgram, usageError } from '../program.ts'
import { startSentinel } from '../redis/servers.ts'
import { type Service, startService } from '../service.ts'
import { startBalancer } from './balancer.ts'

const REPLICAS = 3
/** Longest life of the Redis servers if this program is killed, in seconds: a week. */
const LIFE_SECONDS = 7 * 24 * 3_600

removeContainersOurselves()

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function startReplicas(scope: Scope, env: Record<string, string>): Promise<readonly Service[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-cluster-'))
  scope.defer(() => rmSync(folder, { recursive: true, force: true }))
  // in parallel: migrations exclude each other
  const starts = Array.from({ length: REPLICAS }, async (_, n) => {
    const service = await startService({ data: join(folder, String(n)), env })
    scope.defer(async () => void (await service.stop()))
    return service
  })
  // if one fails, the others must still be ended
  await Promise.allSettled(starts)
  return Promise.all(starts)
}

/** Throws if the address is in use, before anything is started. */
async function startAddress(scope: Scope, port: number, replicas: readonly Service[]): Promise<string> {
  try {
    const balancer = await startBalancer(port, () => replicas.map(({ url }) => Number(new URL(url).port)))
    scope.defer(() => balancer[Symbol.asyncDispose]())
    return balancer.url
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the cluster cannot run: ${why}; name another port with --port`, { cause })
  }
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw usageError(`--port is "${text}", write a port from 1 to 65535, or 0 for a free one`)
}

async function run(port: number, { stdout, signal }: Io): Promise<ExitCode> {
  const say = (line: string): void => void stdout.write(`${line}\n`)
  await using scope = createScope()
  const replicas: Service[] = []
  const address = await startAddress(scope, port, replicas)
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
  await interrupted(signal)
  say('\nending')
  return EXIT.fine
}

await runProgram({
  call: 'npm run cluster --',
  summary: 'three replicas, Postgres and Redis under Sentinel on this machine',
  command: defineCommand({
    help: `
Starts three replicas of the service behind one address, with Postgres and Redis under Sentinel in Docker, until
Ctrl-C. Nothing is left then. INGOT_LOCK_MODE is that of the replicas.`,
    examples: ['npm run cluster', 'INGOT_LOCK_MODE=always npm run cluster -- --port 9000'],
    options: {
      port: {
        type: 'string',
        value: 'PORT',
        summary: 'port of the one address; default: INGOT_CLUSTER_PORT, else 8080',
      },
    },
    run: ({ values }, io) =>
      orSay(io, EXIT.failed, () => run(portOf(values.port ?? process.env['INGOT_CLUSTER_PORT'] ?? '8080'), io)),
  }),
})

/** A failover of Postgres to a standby for which commits wait, and to one for which they do not. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { until, untilTrue } from '../../../std/until.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { spareServer } from '../../../testing/postgres/spare.ts'
import { type Absent, present } from '../../../testing/present.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import { newToken } from '../../token.ts'
import { connectPostgresLock } from './backend.ts'

const SOON = { withinMs: 30_000, everyMs: 100 }
/** More than the 32 values of a sequence that Postgres logs ahead. */
const GRANTS = 120
const STANDBY_PORT = 5_434
const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const request = (key: string): LeaseRequest => ({ key, token: newToken(), ttlMs: 60_000 })

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

async function connect(url: string): Promise<LockBackend> {
  // a server that was promoted needs a moment
  const backend = await until(
    async () => ({ value: await connectPostgresLock(url, { clock: systemClock }, soon()) }),
    SOON,
  )
  onTestFinished(async () => backend[Symbol.asyncDispose]())
  return backend
}

async function granted(backend: LockBackend, wanted: LeaseRequest): Promise<bigint> {
  const attempt = await backend.tryAcquire(wanted, soon())
  if (attempt.kind === 'granted') return attempt.fence ?? 0n
  throw new Error(`expected a grant, got ${attempt.kind}`, { cause: attempt })
}

/** Grants of different keys. Resolves with the last fence. */
async function fenceAfter(backend: LockBackend, grants: number): Promise<bigint> {
  let last = 0n
  for (let count = 0; count < grants; count++) last = await granted(backend, request(newToken()))
  return last
}

/** Starts a primary, and a standby that follows it. */
async function pair(postgres: PostgresServer, name: string, settings: readonly string[]) {
  const [primary, standby] = [`/tmp/${name}-primary`, `/tmp/${name}-standby`]
  const spare = await spareServer(postgres, primary)
  await spare.start(primary, undefined, settings)
  await spare.replica(standby)
  await spare.start(standby, STANDBY_PORT)
  const follows = async (): Promise<boolean> => {
    const rows = await runSql(spare.url, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
    return rows.length === 1
  }
  await untilTrue('a standby', follows, SOON)
  const query = ['psql', '-p', String(STANDBY_PORT), '-U', 'postgres', '-Atc', 'SELECT pid FROM pg_stat_wal_receiver']
  const receiver = await spare.run(...query)
  const signal = (kind: string): Promise<string> => spare.run('sh', '-c', `kill -${kind} ${receiver}`)
  return {
    url: spare.url,
    stopReceiving: () => signal('STOP'),
    /** Crashes the primary, and promotes the standby at the primary's address. */
    failOver: async () => {
      await spare.crash(primary)
      // it may have ended by itself; one that goes on would still receive what the primary has sent
      await signal('KILL').catch(() => undefined)
      await spare.promote(standby)
      await spare.stop(standby)
      await spare.start(standby)
      onTestFinished(async () => void (await spare.stop(standby)))
    },
  }
}

test('after a failover to a synchronous standby every lock is there, and fences rise', async ({ skip }) => {
  const { url, failOver } = await pair(present(server, skip), 'sync', ['synchronous_standby_names=*'])
  const before = await connect(url)
  expect(before.capabilities.fencing).toBe('always')
  const kept = request('kept')
  await granted(before, kept)
  const last = await fenceAfter(before, GRANTS)
  const fromMs = performance.now()
  await failOver()
  const after = await connect(url)
  expect(await granted(after, request(newToken()))).toBeGreaterThan(last)
  const outageMs = performance.now() - fromMs
  expect((await after.tryAcquire(request('kept'), soon())).kind).toBe('held')
  expect((await after.extend(kept, soon())).kind).toBe('extended')
  const fault = 'failover to a synchronous standby'
  reportFault({ fault, on: 'postgres', outageMs, seen: 'locks kept, fences rise' })
})

test('a failover to an asynchronous standby loses what it has not received: locks, and the order of fences', async ({
  skip,
}) => {
  const { url, stopReceiving, failOver } = await pair(present(server, skip), 'async', [])
  const before = await connect(url)
  expect(before.capabilities.fencing).toBe('within-epoch')
  const early = await granted(before, request('early'))
  await stopReceiving()
  const lost = request('lost')
  await granted(before, lost)
  const last = await fenceAfter(before, GRANTS)
  await failOver()
  const after = await connect(url)
  // a second holder, and a fence that was granted before
  const fences = await Promise.all(Array.from({ length: 10 }, () => granted(after, request(newToken()))))
  expect((await after.tryAcquire(request('lost'), soon())).kind).toBe('granted')
  expect((await after.extend(lost, soon())).kind).toBe('lost')
  const falling = fences.filter((fence) => fence <= last)
  expect(falling.length).toBeGreaterThan(0)
  expect(falling.every((fence) => fence > early)).toBe(true)
  const seen = `the lock of the last moment had two holders, ${falling.length} of ${fences.length} fences repeated`
  reportFault({ fault: 'failover to an asynchronous standby that lags', on: 'postgres', seen })
})

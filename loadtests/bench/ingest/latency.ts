/** Section `latency`: single POSTs on Postgres at a fixed open rate, compared with the naive service. */
import { join } from 'node:path'
import { type Bench, createFigures, withReplicas } from './bench.ts'
import { type Env, run, startServer } from './processes.ts'
import { median } from './report.ts'
import type { Servers } from './servers.ts'

/** Arrivals per second: a rate that all contenders sustain, and one that only some sustain. */
const RATES = [200, 1_000]

const NAIVE = join(import.meta.dirname, '../naive/server.ts')

type Contender = (bench: Bench, use: (url: string) => Promise<void>) => Promise<void>

/** Starts one replica with these settings in addition to those of its store. */
function ingot(settings: (servers: Servers) => Promise<Env>): Contender {
  return async (bench, use) => {
    const env = await settings(bench.servers)
    await bench.servers.withDatabase((url) =>
      withReplicas(bench, { replicas: 1, env: { INGOT_STORE_URL: url, ...env } }, (_, urls) => use(urls)),
    )
  }
}

const naive: Contender = async (bench, use) => {
  const redis = await bench.servers.emptyRedis('locks')
  await bench.servers.withDatabase(async (url) => {
    const server = await startServer([NAIVE], { DATABASE_URL: url, REDIS_URL: redis })
    try {
      await use(server.url)
    } finally {
      await server.stop()
    }
  })
}

const CONTENDERS: Readonly<Record<string, Contender>> = {
  'without Redis': ingot(async () => ({})),
  'with Redis': ingot(async (servers) => ({ INGOT_CACHE_URL: await servers.emptyRedis('cache') })),
  'lock mode always': ingot(async (servers) => ({
    INGOT_LOCK_MODE: 'always',
    INGOT_LOCK_URL: await servers.emptyRedis('locks'),
  })),
  naive,
}

export async function latency(bench: Bench): Promise<void> {
  const { report, quick } = bench
  const figures = createFigures()
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const [name, contender] of Object.entries(CONTENDERS)) {
      await contender(bench, async (url) => {
        for (const rate of RATES) {
          const result = await run('open-client.ts', [url, `open-${rate}`, String(rate), quick ? '3' : '10'])
          for (const [what, value] of Object.entries(result)) figures.add(`${name} ${rate} ${what}`, value)
        }
      })
    }
  }
  for (const rate of RATES) {
    for (const name of Object.keys(CONTENDERS)) {
      const of = (what: string): number => median(figures.of(`${name} ${rate} ${what}`))
      for (const what of ['p50', 'p99'])
        report.add({ measured: `${rate} POSTs/s, ${name}: ${what}`, value: of(what), unit: 'ms' })
      if (of('failed') > 0)
        report.add({ measured: `${rate} POSTs/s, ${name}: failed`, value: of('failed'), unit: 'items' })
    }
    const late = Object.keys(CONTENDERS).map((name) => median(figures.of(`${name} ${rate} sentLate50`)))
    report.add({ measured: `${rate} POSTs/s, of that the client's own lateness: p50`, value: median(late), unit: 'ms' })
  }
}

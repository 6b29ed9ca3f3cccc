/** Sections `replicas`, `naive`, `duplicates`: replicas on one Postgres, compared with a bare loop and the naive service. */
import { join } from 'node:path'
import { migrate } from '../../../src/items/stores/postgres/migrate.ts'
import { type Bench, createFigures, withReplicas } from './bench.ts'
import { type Env, rate, run, startServer } from './processes.ts'
import { median, type Report } from './report.ts'

/** Number of streams: the largest number of replicas, the same for all sides. */
const STREAMS = 3

const NAIVE = join(import.meta.dirname, '../naive/server.ts')

/** Items that are sent before the measurement, to compile code. The loop does the same. */
const WARM_ITEMS = 45_000

interface Flow {
  /** Items per second. */
  readonly rate: number
  /** Processor time of all processes, in microseconds per item. Other load on the machine hardly affects it. */
  readonly cpu: number
}

/** Sends the streams. All items must be new. */
async function allNew(bench: Bench, files: readonly string[], shape: { replicas: number }): Promise<Flow> {
  const warm = bench.files('warm', WARM_ITEMS, STREAMS).join(',')
  return bench.servers.withDatabase((url) =>
    withReplicas(bench, { replicas: shape.replicas, env: { INGOT_STORE_URL: url } }, async (services, urls) => {
      await run('stream-client.ts', [urls, warm])
      const spent = async (): Promise<number> => {
        const each = await Promise.all(services.map((service) => service.metric('process_cpu_seconds_total')))
        return each.reduce((sum, seconds) => sum + seconds * 1e6, await bench.servers.postgresCpu())
      }
      const before = await spent()
      const result = await run('stream-client.ts', [urls, files.join(',')])
      return flowOf(result, 'created', (await spent()) - before)
    }),
  )
}

function flowOf(result: Readonly<Record<string, number>>, what: string, serversCpu: number): Flow {
  const cpu = (serversCpu + (result['cpu'] ?? Number.NaN)) / (result[what] ?? Number.NaN)
  return { rate: rate(result, what), cpu }
}

interface Loop {
  readonly size: number
  readonly inFlight: number
}

async function bareLoop(bench: Bench, file: string, { size, inFlight }: Loop): Promise<Flow> {
  const [warm = ''] = bench.files('warm', WARM_ITEMS, 1)
  return bench.servers.withDatabase(async (url) => {
    await migrate({ url })
    const before = await bench.servers.postgresCpu()
    const result = await run('pg-loop.ts', [url, file, String(size), String(inFlight), warm])
    // it includes the warm-up in the server, so it counts those items too
    const serversCpu = (await bench.servers.postgresCpu()) - before
    const items = result['items'] ?? Number.NaN
    return flowOf(result, 'items', (serversCpu * items) / (items + WARM_ITEMS))
  })
}

const loopName = ({ size, inFlight }: Loop): string =>
  inFlight === 1 ? `bare loop, batches of ${size}` : `bare loop, batches of ${size}, ${inFlight} in flight`

const SERIAL: readonly Loop[] = [512, 1_024, 2_048, 4_096].map((size) => ({ size, inFlight: 1 }))
const OVERLAPPED: readonly Loop[] = [1_024, 4_096].map((size) => ({ size, inFlight: 3 }))

export async function replicas(bench: Bench): Promise<void> {
  const { quick, files } = bench
  const count = quick ? 60_000 : 300_000
  const [whole = ''] = files('replicas', count, 1)
  const parts = files('replicas', count, STREAMS)
  const figures = createFigures()
  const add = (name: string, { rate: perSecond, cpu }: Flow): void => {
    figures.add(name, perSecond)
    figures.add(`${name} cpu`, cpu)
  }
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const loop of [...SERIAL, ...OVERLAPPED]) add(loopName(loop), await bareLoop(bench, whole, loop))
    for (const some of [1, 3]) add(nameOf(some), await allNew(bench, parts, { replicas: some }))
  }
  reportReplicas(bench.report, (name) => median(figures.of(name)))
}

function reportReplicas(report: Report, of: (name: string) => number): void {
  const names = [...[...SERIAL, ...OVERLAPPED].map(loopName), nameOf(1), nameOf(3)]
  for (const name of names) report.add({ measured: name, value: of(name), unit: 'rows/s' })
  const best = (some: readonly Loop[]): number => Math.max(...some.map((loop) => of(loopName(loop))))
  for (const some of [1, 3]) {
    report.atLeast(`${nameOf(some)} / best bare loop`, of(nameOf(some)) / best(SERIAL), 0.7)
    // a loop with overlapping batches is no baseline; it shows the limit of this machine
    const value = of(nameOf(some)) / best(OVERLAPPED)
    report.add({ measured: `${nameOf(some)} / best loop with 3 in flight`, value, unit: 'x' })
  }
  for (const name of names)
    report.add({ measured: `processor time of all: ${name}`, value: of(`${name} cpu`), unit: 'us/item' })
}

const nameOf = (some: number): string => `NDJSON through ${some} ${some === 1 ? 'replica' : 'replicas'}`

async function naiveRate(
  bench: Bench,
  files: readonly string[],
  shape: { some: number; concurrency: number },
): Promise<number> {
  const redis = await bench.servers.emptyRedis('locks')
  return bench.servers.withDatabase(async (url) => {
    const env = { DATABASE_URL: url, REDIS_URL: redis, CONCURRENCY: String(shape.concurrency) }
    // one after the other, because two that create the table concurrently fail
    const servers = []
    for (let n = 0; n < shape.some; n++) servers.push(await startServer([NAIVE], env))
    try {
      const urls = servers.map((server) => server.url).join(',')
      return rate(await run('stream-client.ts', [urls, files.join(',')]), 'created')
    } finally {
      await Promise.all(servers.map((server) => server.stop()))
    }
  })
}

export async function naive(bench: Bench): Promise<void> {
  const { report, quick, files } = bench
  const widths = quick ? [32] : [8, 32, 128]
  const few = files('naive', quick ? 1_500 : 6_000, STREAMS)
  const many = files('naive', quick ? 30_000 : 150_000, STREAMS)
  const figures = createFigures()
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const some of [1, 3]) {
      for (const concurrency of widths)
        figures.add(`naive ${some} ${concurrency}`, await naiveRate(bench, few, { some, concurrency }))
      figures.add(`ingot ${some}`, (await allNew(bench, many, { replicas: some })).rate)
    }
  }
  for (const some of [1, 3]) {
    const rates = widths.map((concurrency) => median(figures.of(`naive ${some} ${concurrency}`)))
    const through = median(figures.of(`ingot ${some}`))
    for (const [at, concurrency] of widths.entries()) {
      const measured = `naive, processes: ${some}, items at once: ${concurrency} a stream`
      report.add({ measured, value: rates[at] ?? Number.NaN, unit: 'rows/s' })
    }
    report.add({ measured: nameOf(some), value: through, unit: 'rows/s' })
    report.atLeast(`${nameOf(some)} / best naive`, through / Math.max(...rates), 10)
  }
}

export async function duplicates(bench: Bench): Promise<void> {
  const { report, quick, files } = bench
  const parts = files('duplicates', quick ? 60_000 : 300_000, STREAMS)
  const figures = createFigures()
  const warm = files('warm', WARM_ITEMS, STREAMS).join(',')
  /** Sends new items, then after a restart the same items again. Each time, items of the same kind warm up first. */
  async function twice(name: string, extra: Env): Promise<void> {
    await bench.servers.withDatabase(async (url) => {
      for (const what of ['created', 'duplicate']) {
        await withReplicas(bench, { replicas: 1, env: { INGOT_STORE_URL: url, ...extra } }, async (_, urls) => {
          await run('stream-client.ts', [urls, warm])
          figures.add(`${name} ${what}`, rate(await run('stream-client.ts', [urls, parts.join(',')]), what))
        })
      }
    })
  }
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    await twice('plain', {})
    await twice('cached', { INGOT_CACHE_URL: await bench.servers.emptyRedis('cache') })
  }
  const of = (name: string): number => median(figures.of(name))
  report.add({ measured: 'all new', value: of('plain created'), unit: 'rows/s' })
  report.add({ measured: 'all duplicates, after a restart', value: of('plain duplicate'), unit: 'rows/s' })
  report.atLeast('all duplicates / all new', of('plain duplicate') / of('plain created'), 2)
  report.add({ measured: 'all new, writing a Redis cache', value: of('cached created'), unit: 'rows/s' })
  report.add({
    measured: 'all duplicates, after a restart, warm Redis cache',
    value: of('cached duplicate'),
    unit: 'rows/s',
  })
  report.add({
    measured: 'all duplicates, warm Redis cache / without',
    value: of('cached duplicate') / of('plain duplicate'),
    unit: 'x',
  })
}

/** Section `observed`: the cost of traces and of scrapes, on the embedded store. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Bench, createFigures } from './bench.ts'
import { type Env, rate, run, type Service, startService } from './processes.ts'
import { median } from './report.ts'

/** Number of collections that a scraped replica has. */
const COLLECTIONS = 200
/** Usual interval of scrapes, in seconds. */
const INTERVAL_S = 15
const SCRAPES = 200

export async function observed(bench: Bench): Promise<void> {
  await traces(bench)
  await scrapes(bench)
}

async function traces({ report, quick, folder, files }: Bench): Promise<void> {
  const collector = await startCollector()
  const contenders: Readonly<Record<string, Env>> = {
    off: {},
    on: {
      INGOT_OTEL: 'on',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.01',
    },
  }
  const [file = ''] = files('traced', quick ? 50_000 : 500_000, 1)
  const figures = createFigures()
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const [name, env] of Object.entries(contenders)) {
      const service = await startService(folder(), { env })
      const posts = await run('post-client.ts', [service.url, `traced-${round}`, '64', quick ? '5000' : '40000'])
      figures.add(`posts ${name}`, rate(posts, 'items'))
      figures.add(`stream ${name}`, rate(await run('stream-client.ts', [service.url, file]), 'created'))
      await service.stop()
    }
  }
  collector.close()
  for (const work of ['posts', 'stream']) {
    const [off, on] = [`${work} off`, `${work} on`].map((name) => median(figures.of(name)))
    if (off === undefined || on === undefined) continue
    report.add({ measured: `${work}, traces off`, value: off, unit: 'items/s' })
    report.atLeast(`${work}, 1 % of the traces recorded / traces off`, on / off, 0.97)
  }
  report.add({ measured: 'exports that the collector received', value: collector.exports(), unit: 'requests' })
}

/** A collector that only counts. */
async function startCollector() {
  let exports = 0
  const server = createServer((request, response) => {
    exports++
    request.resume().on('end', () => response.end('{}'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, exports: () => exports, close: () => server.close() }
}

async function scrapes({ report, folder }: Bench): Promise<void> {
  const service = await startService(folder())
  await fillCollections(service)
  const text = await scrape(service)
  const before = await service.metric('process_cpu_seconds_total')
  for (let n = 0; n < SCRAPES; n++) await scrape(service)
  const ms = (((await service.metric('process_cpu_seconds_total')) - before) * 1_000) / SCRAPES
  await service.stop()
  const kilobytes = text.length / 1_000
  const size = { target: '< 100', met: kilobytes < 100 }
  report.add({ measured: `a scrape with ${COLLECTIONS} collections`, value: kilobytes, unit: 'kB', ...size })
  report.add({ measured: 'its processor time', value: ms, unit: 'ms' })
  report.atMost(`share of a core, a scrape every ${INTERVAL_S} s`, ms / (INTERVAL_S * 1_000), 0.01)
}

const scrape = async (service: Service): Promise<string> => (await fetch(`${service.url}/metrics`)).text()

async function fillCollections(service: Service): Promise<void> {
  for (let n = 0; n < COLLECTIONS; n++) {
    const posted = await fetch(`${service.url}/v1/collections/c${n}/items`, {
      method: 'POST',
      body: JSON.stringify({ n }),
      headers: { 'content-type': 'application/json' },
    })
    await posted.arrayBuffer()
  }
}

/**
 * Section `locked`: the http store in front of a backend that needs 50 ms per call and does not enforce uniqueness. The
 * baseline is the backend alone: the same lookup and save, with the same fences, from the only client. Both sides get bursts
 * on kept-alive connections from this process.
 */
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { type Bench, createFigures, withReplicas } from './bench.ts'
import { itemText } from './items.ts'
import { startServer } from './processes.ts'
import { median } from './report.ts'

const LATENCY_MS = 50
const ITEMS = 200
const EXAMPLE = join(import.meta.dirname, '../../../examples/legacy-backend')

const agent = new Agent({ keepAlive: true })

interface Answer {
  readonly status: number
  readonly body: string
}

interface Call {
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function call(url: string, { method, headers = {}, body }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const exchange = request(url, { agent, method, headers: { 'content-type': 'application/json', ...headers } })
    exchange.on('error', reject)
    exchange.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      response.on('error', reject)
    })
    exchange.end(body)
  })
}

async function expectStatus(answer: Promise<Answer>, ...allowed: readonly number[]): Promise<Answer> {
  const { status, body } = await answer
  if (!allowed.includes(status)) throw new Error(`the response is ${status}: ${body}`)
  return { status, body }
}

async function lookAndSave(backend: string, key: string, text: string): Promise<void> {
  const headers = { 'fencing-token': '1' }
  await expectStatus(call(`${backend}/items?collection=bench&key=${key}`, { method: 'GET', headers }), 404)
  const content = Buffer.from(text).toString('base64')
  const body = JSON.stringify({ collection: 'bench', key, media: 'application/json', content })
  await expectStatus(call(`${backend}/items`, { method: 'POST', headers, body }), 201)
}

const put = (url: string, text: string): Promise<Answer> =>
  expectStatus(call(`${url}/v1/collections/bench/items`, { method: 'POST', body: text }), 200, 201)

/** Resolves with the duration of one call, in milliseconds. */
async function timed(one: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await one()
  return performance.now() - start
}

/** Resolves with the duration of `ITEMS` concurrent calls, in milliseconds. */
function burst(one: (index: number) => Promise<unknown>): Promise<number> {
  return timed(() => Promise.all(Array.from({ length: ITEMS }, (_, index) => one(index))))
}

async function withBackend<T>(bench: Bench, use: (url: string) => Promise<T>): Promise<T> {
  const args = ['--listen', '127.0.0.1:0', '--latency', String(LATENCY_MS), '--data', bench.folder()]
  const backend = await startServer([join(EXAMPLE, 'server.mjs'), ...args])
  try {
    return await use(backend.url)
  } finally {
    // it ends with the last connection
    agent.destroy()
    await backend.stop()
  }
}

async function envFor(bench: Bench, backend: string): Promise<Record<string, string>> {
  return {
    INGOT_STORE_URL: backend,
    INGOT_STORE_MAPPING: join(EXAMPLE, 'mapping.json'),
    INGOT_LOCK_URL: await bench.servers.emptyRedis('locks'),
  }
}

async function distinct(bench: Bench): Promise<void> {
  const rounds = bench.quick ? 3 : 9
  const figures = createFigures()
  await withBackend(bench, (bare) =>
    withBackend(bench, async (backend) =>
      withReplicas(bench, { replicas: 1, env: await envFor(bench, backend) }, async (_, url) => {
        // the first two rounds warm up both sides: connections and compiled code
        for (let round = -2; round < rounds; round++) {
          const item = (index: number): string => itemText(`burst-${round}`, index)
          const limit = await burst((index) => lookAndSave(bare, `${round}-${index}`, item(index)))
          const ours = await burst((index) => put(url, item(index)))
          if (round < 0) continue
          figures.add('limit', limit)
          figures.add('ours', ours)
        }
      }),
    ),
  )
  const limit = median(figures.of('limit'))
  const ours = median(figures.of('ours'))
  bench.report.add({ measured: `backend's own limit, ${ITEMS} distinct items at once`, value: limit, unit: 'ms' })
  bench.report.add({ measured: `locked path, ${ITEMS} distinct items at once`, value: ours, unit: 'ms' })
  bench.report.atMost('locked path / backend’s own limit', ours / limit, 1.3)
}

async function copies(bench: Bench): Promise<void> {
  const replicas = 3
  const text = itemText('copies', 0)
  await withBackend(bench, async (backend) =>
    withReplicas(bench, { replicas, env: await envFor(bench, backend) }, async (services) => {
      const responses: Answer[] = []
      const ms = await burst(async (index) => {
        const answer = await put(services[index % replicas]?.url ?? '', text)
        responses.push(answer)
      })
      const audit = (await call(`${backend}/audit`, { method: 'GET' })).body
      const saves = audit.split('\n').filter((line) => line.includes('"type":"save"')).length
      const created = responses.filter((answer) => answer.status === 201).length
      const measured = `${ITEMS} copies of one item over ${replicas} replicas`
      bench.report.add({ measured: `${measured}: until all were answered`, value: ms, unit: 'ms' })
      const one = { target: '= 1', met: saves === 1 }
      bench.report.add({ measured: `${measured}: saves in the audit log`, value: saves, unit: 'saves', ...one })
      const target = { target: '= 1', met: created === 1 }
      bench.report.add({ measured: `${measured}: answered "created"`, value: created, unit: 'answers', ...target })
    }),
  )
}

/** Sends one POST at a time, alternately to a service with durable fences (Postgres) and to one without. */
async function fenced(bench: Bench): Promise<void> {
  const posts = bench.quick ? 60 : 300
  const figures = createFigures()
  await bench.servers.withDatabase((fences) =>
    withBackend(bench, async (backend) => {
      const env = await envFor(bench, backend)
      await withReplicas(bench, { replicas: 1, env }, (_, without) =>
        withReplicas(
          bench,
          { replicas: 1, env: { ...env, INGOT_LOCK_FENCES: fences } },
          async (_services, withFences) => {
            // the first ten warm up both sides
            for (let post = -10; post < posts; post++) {
              const plain = await timed(() => put(without, itemText('without', post)))
              const durable = await timed(() => put(withFences, itemText('with', post)))
              if (post < 0) continue
              figures.add('without', plain)
              figures.add('with', durable)
            }
          },
        ),
      )
    }),
  )
  const plain = median(figures.of('without'))
  const durable = median(figures.of('with'))
  bench.report.add({ measured: 'single POST, fences of the lock service', value: plain, unit: 'ms' })
  bench.report.add({ measured: 'single POST, durable fences (Postgres)', value: durable, unit: 'ms' })
  bench.report.atMost('POST with durable fences / without', durable / plain, 1.1)
}

export async function locked(bench: Bench): Promise<void> {
  await fenced(bench)
  await distinct(bench)
  await copies(bench)
}

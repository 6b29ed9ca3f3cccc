/**
 * Sends NDJSON to several URLs, over one connection each, and reads the responses at the same time.
 * Arguments: URLs, then the same number of files, or `generate SERIES COUNT` for a single URL. Lists are comma-separated.
 * Prints {"lines", "created", "duplicate", "failed", "seconds", "cpu"} over all streams; cpu in microseconds of this
 * process.
 */
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ndjson } from './items.ts'

const CHUNK_ITEMS = 1_000
/** Number of bytes to keep: longer than any summary. */
const TAIL_BYTES = 1_024

const [urls = '', source = '', series = '', count = '0'] = process.argv.slice(2)

function* generated(): Generator<Buffer> {
  for (let at = 0; at < Number(count); at += CHUNK_ITEMS)
    yield ndjson(series, at, Math.min(at + CHUNK_ITEMS, Number(count)))
}

function bodies(): readonly Readable[] {
  if (source === 'generate') return [Readable.from(generated())]
  return source.split(',').map((file) => createReadStream(file, { highWaterMark: 1 << 18 }))
}

interface Summary {
  readonly lines: number
  readonly created: number
  readonly duplicate: number
  readonly failed: number
}

async function send(url: string, body: Readable): Promise<Summary> {
  const exchange = request(`${url}/v1/collections/bench/items`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    agent: false,
  })
  const answered = new Promise<string>((resolve, reject) => {
    exchange.on('error', reject)
    exchange.on('response', (response) => {
      // reads everything but parses only the last line, to keep the cost of the client low
      let tail: Buffer = Buffer.alloc(0)
      response.on('data', (chunk: Buffer) => {
        tail = chunk.length < TAIL_BYTES ? Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES) : chunk
      })
      response.on('end', () => resolve(tail.toString().trimEnd().split('\n').at(-1) ?? ''))
      response.on('error', reject)
    })
  })
  await pipeline(body, exchange)
  const last = await answered
  const parsed: unknown = JSON.parse(last)
  if (typeof parsed !== 'object' || parsed === null || !('summary' in parsed)) throw new Error(`no summary: ${last}`)
  return parsed.summary as Summary // the service's own last line
}

const cpuBefore = process.cpuUsage()
const start = performance.now()
const addresses = urls.split(',')
const summaries = await Promise.all(bodies().map((body, at) => send(addresses[at % addresses.length] ?? '', body)))
const seconds = (performance.now() - start) / 1_000
const cpu = process.cpuUsage(cpuBefore)
const total = (what: keyof Summary): number => summaries.reduce((sum, one) => sum + one[what], 0)
console.log(
  JSON.stringify({
    lines: total('lines'),
    created: total('created'),
    duplicate: total('duplicate'),
    failed: total('failed'),
    seconds,
    cpu: cpu.user + cpu.system,
  }),
)

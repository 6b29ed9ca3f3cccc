/**
 * Sends NDJSON to the service over one connection, reading the answer meanwhile.
 * Arguments: url, then a file, or `generate SERIES COUNT`. Prints {"lines", "created", "duplicate", "seconds"}.
 */
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createLineSplitter } from '../../../src/std/lines.ts'
import { ndjson } from './items.ts'

const CHUNK_ITEMS = 1_000

const [url = '', source = '', series = '', count = '0'] = process.argv.slice(2)

function* generated(): Generator<Buffer> {
  for (let at = 0; at < Number(count); at += CHUNK_ITEMS)
    yield ndjson(series, at, Math.min(at + CHUNK_ITEMS, Number(count)))
}

const body = source === 'generate' ? Readable.from(generated()) : createReadStream(source, { highWaterMark: 1 << 18 })
const start = performance.now()
const exchange = request(`${url}/v1/collections/bench/items`, {
  method: 'POST',
  headers: { 'content-type': 'application/x-ndjson' },
})
const answered = new Promise<string>((resolve, reject) => {
  exchange.on('error', reject)
  exchange.on('response', (response) => {
    const splitter = createLineSplitter(1 << 20)
    let last = ''
    response.on('data', (chunk: Buffer) => (last = splitter.push(chunk).at(-1)?.bytes.toString() ?? last))
    response.on('end', () => resolve(last))
    response.on('error', reject)
  })
})
await pipeline(body, exchange)
const last = await answered
const seconds = (performance.now() - start) / 1_000
const summary: unknown = JSON.parse(last)
if (typeof summary !== 'object' || summary === null || !('summary' in summary)) throw new Error(`no summary: ${last}`)
console.log(JSON.stringify({ ...Object(summary.summary), seconds }))

/**
 * A simple implementation of ingestion without duplicates: fastify, a lock per item in Redis (redlock), a select, an insert.
 * It is correct as long as no lock is lost. It uses pools and keep-alive and processes many items of a stream concurrently,
 * but without batches.
 * Settings: DATABASE_URL, REDIS_URL, CONCURRENCY (items of a stream at once, default 32). Prints its address.
 *
 *   POST /v1/collections/bench/items   application/json: one item; application/x-ndjson: one item per line, one response line each, in order
 */
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { fastify } from 'fastify'
import { Redis } from 'ioredis'
import pg from 'pg'
import Redlock from 'redlock'

const LOCK_TTL_MS = 5_000
const CONCURRENCY = Number(process.env['CONCURRENCY'] ?? 32)
const DATABASE_URL = process.env['DATABASE_URL'] ?? 'postgres://127.0.0.1/naive'

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 20 })
await pool.query(`CREATE TABLE IF NOT EXISTS naive_items (
  id text PRIMARY KEY, content jsonb NOT NULL, first_seen timestamptz NOT NULL DEFAULT now())`)
const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
// redlock was written for an earlier ioredis: the types differ, but the functions that it calls still exist
const redlock = new Redlock([redis as unknown as Redlock.CompatibleRedisClient], {
  retryCount: 50,
  retryDelay: 20,
  retryJitter: 20,
})

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}

interface Saved {
  readonly id: string
  readonly status: 'created' | 'duplicate'
}

async function save(text: string): Promise<Saved> {
  const content = canonical(JSON.parse(text))
  const id = createHash('sha256').update(content).digest('hex')
  const lock = await redlock.lock(`lock:${id}`, LOCK_TTL_MS)
  try {
    const { rowCount } = await pool.query('SELECT 1 FROM naive_items WHERE id = $1', [id])
    if (rowCount === 1) return { id, status: 'duplicate' }
    await pool.query('INSERT INTO naive_items (id, content) VALUES ($1, $2)', [id, content])
    return { id, status: 'created' }
  } finally {
    await lock.unlock()
  }
}

/** Processes CONCURRENCY items at a time, and responds in the order of the lines. */
async function* responses(body: Readable): AsyncGenerator<string> {
  const counts = { lines: 0, created: 0, duplicate: 0, failed: 0 }
  const going: Promise<Saved>[] = []
  async function next(): Promise<string> {
    const saved = await going.shift()
    if (saved === undefined) return ''
    counts[saved.status]++
    return `${JSON.stringify({ line: ++counts.lines, ...saved })}\n`
  }
  for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
    going.push(save(line))
    if (going.length >= CONCURRENCY) yield await next()
  }
  while (going.length > 0) yield await next()
  yield `${JSON.stringify({ summary: counts })}\n`
}

const app = fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body))
app.addContentTypeParser('application/x-ndjson', (_request, body, done) => done(null, body))
app.post('/v1/collections/bench/items', async (request, reply) => {
  const { body } = request
  if (typeof body !== 'string') return reply.type('application/x-ndjson').send(Readable.from(responses(request.raw)))
  const saved = await save(body)
  return reply.code(saved.status === 'created' ? 201 : 200).send(saved)
})
console.log(`naive on ${await app.listen({ port: 0, host: '127.0.0.1' })} `)
process.once('SIGTERM', () => process.exit(0))

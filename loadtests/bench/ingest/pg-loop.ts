/**
 * The baseline on Postgres: a loop that reads the same NDJSON, computes the same ids and inserts them with one sorted
 * statement and one commit per batch, without HTTP and without responses. It uses binary arrays and a prepared statement,
 * the fastest way that we know from Node.
 * Arguments: url of a migrated database, file, batch size, batches in flight, a file to warm up with. Prints {"items", "seconds", "cpu"}; cpu in microseconds of this process.
 */
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { DEFAULT_POLICY } from '../../../src/identity/policy.ts'
import type { PreparedItem } from '../../../src/items/item.ts'
import { itemKey } from '../../../src/items/item-key.ts'
import { prepare } from '../../../src/items/prepare.ts'
import { byteaArray } from '../../../src/postgres/binary-array.ts'
import { createLineSplitter } from '../../../src/std/lines.ts'

const CHUNK = 65_536

const [url = '', file = '', size = '512', inFlight = '1', warm = ''] = process.argv.slice(2)
const batchSize = Number(size)

const SET_UP = "INSERT INTO ingot_collections (name, policy) VALUES ('bench', '{}')"
const INSERT = `INSERT INTO ingot_items (collection, id, place, first_seen_ms, media, content)
  SELECT 1, r.id, ($4::bigint << 20) | r.ord, $3::bigint, NULL, r.content
  FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS r(id, content, ord)
  ORDER BY r.id ON CONFLICT DO NOTHING RETURNING id`

function* batches(input: Buffer): Generator<readonly PreparedItem[]> {
  const splitter = createLineSplitter(1 << 20)
  let batch: PreparedItem[] = []
  for (let at = 0; at < input.length; at += CHUNK) {
    for (const line of splitter.push(input.subarray(at, at + CHUNK))) {
      const prepared = prepare(DEFAULT_POLICY, { media: 'application/json', content: line.bytes }, { maxDepth: 128 })
      if ('refused' in prepared) throw prepared.refused
      if (batch.push(prepared) < batchSize) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

const clients = await Promise.all(
  Array.from({ length: Number(inFlight) }, async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return client
  }),
)
await clients[0]?.query(SET_UP)
let number = 0

/** Inserts batches. Several of these loops overlap reading with the work of the server. Returns the number of new items. */
async function save(client: pg.Client, work: Iterable<readonly PreparedItem[]>): Promise<number> {
  let items = 0
  for (const batch of work) {
    const ids = byteaArray(batch.map((item) => itemKey(item.id)))
    const contents = byteaArray(batch.map((item) => item.content))
    const values = [ids, contents, Date.now(), number++]
    const { rowCount } = await client.query({ name: 'insert', text: INSERT, values, rowMode: 'array' })
    items += rowCount ?? 0
  }
  return items
}

async function saveAll(input: Buffer): Promise<number> {
  const work = batches(input)
  const counts = await Promise.all(clients.map((client) => save(client, work)))
  return counts.reduce((sum, count) => sum + count, 0)
}

await saveAll(readFileSync(warm))
const input = readFileSync(file)
const cpuBefore = process.cpuUsage()
const start = performance.now()
const items = await saveAll(input)
const seconds = (performance.now() - start) / 1_000
const { user, system } = process.cpuUsage(cpuBefore)
await Promise.all(clients.map((client) => client.end()))
console.log(JSON.stringify({ items, seconds, cpu: user + system }))

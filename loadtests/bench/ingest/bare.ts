/**
 * The baseline: one loop that reads the same NDJSON, computes the same ids and inserts into the same table, with one
 * transaction per batch, without HTTP and without responses.
 * Arguments: folder, file, batch size. Prints {"items", "seconds"}.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { DEFAULT_POLICY } from '../../../src/identity/policy.ts'
import { itemKey } from '../../../src/items/item-key.ts'
import { prepare } from '../../../src/items/prepare.ts'
import { openForWriting } from '../../../src/items/stores/sqlite/database.ts'
import { createLineSplitter, type Line } from '../../../src/std/lines.ts'

const CHUNK = 65_536

const [folder = '', file = '', size = '256'] = process.argv.slice(2)
const batch = Number(size)
mkdirSync(folder, { recursive: true })
const input = readFileSync(file)
const db = openForWriting(folder)
db.exec("INSERT INTO collections (name, policy, last_place) VALUES ('bench', '{}', 0)")
const insert = db.prepare(
  'INSERT INTO items (place, collection, id, media, first_seen_ms, content) VALUES (?, 1, ?, NULL, ?, ?) ON CONFLICT DO NOTHING',
)
let place = 2 ** 33
let items = 0
let waiting: Line[] = []

function save(): void {
  db.exec('BEGIN IMMEDIATE')
  for (const line of waiting) {
    const prepared = prepare(DEFAULT_POLICY, { media: 'application/json', content: line.bytes }, { maxDepth: 128 })
    if ('refused' in prepared) throw prepared.refused
    items += Number(insert.run(++place, itemKey(prepared.id), Date.now(), prepared.content).changes)
  }
  db.exec('COMMIT')
  waiting = []
}

const splitter = createLineSplitter(1 << 20)
const start = performance.now()
for (let at = 0; at < input.length; at += CHUNK) {
  for (const line of splitter.push(input.subarray(at, at + CHUNK))) {
    waiting.push(line)
    if (waiting.length === batch) save()
  }
}
if (waiting.length > 0) save()
const seconds = (performance.now() - start) / 1_000
db.close()
console.log(JSON.stringify({ items, seconds }))

/**
 * Section `growth`: measures the cost of an item if many are stored. SQL fills the table with items of the benchmark under
 * their real ids, in the order of batches. The service must report such items as duplicates, which proves that the ids are
 * right. The measured items go through the service. Sizes are those that the server reports.
 *
 * Only access to the primary key is random, because ids are digests. The index by position and the tables grow at their
 * ends. So inserts stay in memory as long as the primary key does.
 */
import { writeFileSync } from 'node:fs'
import { runSql } from '../../../src/testing/postgres/server.ts'
import { type Bench, createFigures, withReplicas } from './bench.ts'
import { itemText } from './items.ts'
import { rate, run } from './processes.ts'
import { median, type Report } from './report.ts'

const SERIES = 'grown'
/** Rows of one statement that fills the table. */
const FILL_ROWS = 50_000
const ROUNDS = 5
/** New items of a round. The first round is not counted. */
const NEW_ITEMS = 20_000
const OLD_ITEMS = 60_000
/** Number of stored items for which the theoretical limit is computed. */
const MEMORY_GB = 16

/** Creates the items of items.ts in SQL. `place` is that of the put function for batches of 512. */
const fillSql = (from: number, to: number): string => `
  INSERT INTO ingot_items (collection, id, place, first_seen_ms, content)
  SELECT c.id, 'j1'::bytea || sha256(content), (n / 512 + 1) << 20 | n % 512 + 1, 1700000000000, content
  FROM ingot_collections c, generate_series(${from}::bigint, ${to - 1}) AS s(n), LATERAL (
    SELECT convert_to(rpad(
      format('{"amount":%s,"customer":"c-%s","items":[%s,%s],"order":"${SERIES}-%s","state":"open","text":"',
        (n % 9973 / 100.0)::float8, n % 5003, n % 7, n % 11, n),
      254, 'lorem ipsum dolor sit amet ') || '"}', 'UTF8') AS content) AS made
  WHERE c.name = 'bench'
  ORDER BY n / 512, 2`

/** Returns rows per second. */
async function fill(url: string, from: number, to: number): Promise<number> {
  const start = performance.now()
  for (let at = from; at < to; at += FILL_ROWS) await runSql(url, fillSql(at, Math.min(at + FILL_ROWS, to)))
  const seconds = (performance.now() - start) / 1_000
  await runSql(url, `SELECT setval('ingot_batches', greatest(nextval('ingot_batches'), ${Math.ceil(to / 512) + 1}))`)
  await runSql(url, 'VACUUM (ANALYZE) ingot_items')
  await runSql(url, 'CHECKPOINT')
  return (to - from) / seconds
}

interface Sizes {
  readonly rows: number
  readonly table: number
  readonly key: number
  readonly place: number
}

const SIZES = `
  SELECT (SELECT count(*) FROM ingot_items) AS rows, (SELECT sum(pg_table_size(p.relid)) FROM parts p) AS "table",
    (SELECT sum(pg_relation_size(i.indexrelid)) FROM parts p JOIN pg_index i ON i.indrelid = p.relid
      WHERE i.indisprimary) AS key,
    (SELECT sum(pg_relation_size(i.indexrelid)) FROM parts p JOIN pg_index i ON i.indrelid = p.relid
      WHERE NOT i.indisprimary) AS place`

async function sizes(url: string): Promise<Sizes> {
  const parts = "WITH parts AS (SELECT relid FROM pg_partition_tree('ingot_items') WHERE isleaf)"
  const [row = {}] = await runSql(url, parts + SIZES)
  const of = (name: string): number => Number(row[name])
  return { rows: of('rows'), table: of('table'), key: of('key'), place: of('place') }
}

/** Returns the bytes of write-ahead log written so far. */
async function logged(url: string): Promise<number> {
  const [row = {}] = await runSql(url, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes")
  return Number(row['bytes'])
}

/** Writes a file of stored items from the whole table. */
function oldItems(bench: Bench, stored: number): string {
  const file = `${bench.folder()}.ndjson`
  const step = stored / OLD_ITEMS
  const lines = Array.from({ length: OLD_ITEMS }, (_, n) => itemText(SERIES, Math.floor(n * step)))
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

interface Step {
  /** Number of stored rows in the middle of the measurement. */
  readonly size: number
  readonly filled: number
}

async function measure(bench: Bench, url: string, { size, filled }: Step): Promise<void> {
  const { report } = bench
  const figures = createFigures()
  const old = oldItems(bench, filled)
  await withReplicas(bench, { replicas: 1, env: { INGOT_STORE_URL: url } }, async (_, service) => {
    for (let round = 0; round <= ROUNDS; round++) {
      const [fresh = ''] = bench.files(`new-${size}-${round}`, NEW_ITEMS, 1)
      const before = await logged(url)
      const created = await run('stream-client.ts', [service, fresh])
      const perRow = ((await logged(url)) - before) / NEW_ITEMS
      const duplicates = await run('stream-client.ts', [service, old])
      if (created['created'] !== NEW_ITEMS || duplicates['duplicate'] !== OLD_ITEMS)
        throw new Error(`not what was sent: ${JSON.stringify({ created, duplicates })}`)
      figures.add(round === 0 ? 'first log' : 'log', perRow)
      if (round === 0) continue
      figures.add('new', rate(created, 'created'))
      figures.add('old', rate(duplicates, 'duplicate'))
    }
  })
  const rows = `${size.toLocaleString('en')} stored`
  report.add({ measured: `${rows}: all new`, value: median(figures.of('new')), unit: 'rows/s' })
  report.add({ measured: `${rows}: all duplicates, from all over`, value: median(figures.of('old')), unit: 'rows/s' })
  report.add({ measured: `${rows}: log, after a checkpoint`, value: median(figures.of('first log')), unit: 'B/row' })
  report.add({ measured: `${rows}: log, later`, value: median(figures.of('log')), unit: 'B/row' })
}

function reportSizes(report: Report, { rows, table, key, place }: Sizes): void {
  const count = `${rows.toLocaleString('en')} rows`
  report.add({ measured: `${count}: table`, value: table / rows, unit: 'B/row' })
  report.add({ measured: `${count}: primary key`, value: key / rows, unit: 'B/row' })
  report.add({ measured: `${count}: index by place`, value: place / rows, unit: 'B/row' })
}

export async function growth(bench: Bench): Promise<void> {
  const { report } = bench
  const steps = bench.quick ? [100_000, 300_000] : [100_000, 1_000_000, 5_000_000]
  await bench.servers.withDatabase(async (url) => {
    await withReplicas(bench, { replicas: 1, env: { INGOT_STORE_URL: url } }, async () => {})
    await runSql(url, 'INSERT INTO ingot_collections (name, policy) VALUES (\'bench\', \'{"kind":"json"}\')')
    let filled = 0
    for (const size of steps) {
      // half of the measured items are below the stated size, half above
      const { rows } = await sizes(url)
      const target = filled + size - rows - ((ROUNDS + 1) * NEW_ITEMS) / 2
      const speed = await fill(url, filled, target)
      report.add({ measured: `filled by SQL up to ${size.toLocaleString('en')}`, value: speed, unit: 'rows/s' })
      filled = target
      await measure(bench, url, { size, filled })
      reportSizes(report, await sizes(url))
    }
    const { rows, key } = await sizes(url)
    const limit = (MEMORY_GB * 2 ** 30) / (key / rows) / 1e6
    report.add({ measured: `on paper: primary key outgrows ${MEMORY_GB} GiB at`, value: limit, unit: 'M rows' })
  })
}

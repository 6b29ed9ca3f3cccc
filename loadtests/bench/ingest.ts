/**
 * `npm run bench:ingest`: how fast items come in, as ratios measured in one run. Each contender is a process of its
 * own on a fresh folder; rounds are interleaved and the median counts. `--quick` takes a tenth of the items.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ndjson } from './ingest/items.ts'
import { run, startService } from './ingest/processes.ts'

const quick = process.argv.includes('--quick')
const ITEMS = quick ? 50_000 : 1_000_000
const POSTS = quick ? 5_000 : 30_000
const STREAMED = quick ? 200_000 : 2_000_000
const ROUNDS = quick ? 1 : 2
const BATCHES = quick ? [256, 1_024] : [256, 1_024, 4_096]

const work = mkdtempSync(join(tmpdir(), 'ingot-bench-'))
let folders = 0
const folder = (): string => join(work, `data-${++folders}`)
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const rate = (result: Record<string, number>, what: string): number =>
  (result[what] ?? 0) / (result['seconds'] ?? Number.NaN)

interface Row {
  readonly measured: string
  readonly value: number
  readonly unit: string
  readonly target?: string
  readonly met?: boolean
}

const rows: Row[] = []
const add = (row: Row): void => {
  rows.push(row)
  const verdict = row.met === undefined ? '' : row.met ? '  met' : '  MISSED'
  console.log(
    `${row.measured.padEnd(62)} ${row.value.toFixed(2).padStart(12)} ${row.unit.padEnd(10)} ${row.target ?? ''}${verdict}`,
  )
}

async function streams(file: string): Promise<void> {
  const bare = new Map<number, number[]>(BATCHES.map((size) => [size, []]))
  const created: number[] = []
  const duplicates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (const size of BATCHES)
      bare.get(size)?.push(rate(await run('bare.ts', [folder(), file, String(size)]), 'items'))
    const data = folder()
    const first = await startService(data)
    created.push(rate(await run('stream-client.ts', [first.url, file]), 'created'))
    await first.stop()
    const second = await startService(data)
    duplicates.push(rate(await run('stream-client.ts', [second.url, file]), 'duplicate'))
    await second.stop()
  }
  const best = Math.max(...[...bare.values()].map(median))
  for (const [size, rates] of bare)
    add({ measured: `bare loop, batches of ${size}`, value: median(rates), unit: 'rows/s' })
  add({ measured: 'NDJSON over HTTP, all new', value: median(created), unit: 'rows/s' })
  add({ measured: 'NDJSON over HTTP, all duplicates, after a restart', value: median(duplicates), unit: 'rows/s' })
  const ratio = median(created) / best
  add({ measured: 'all new / best bare loop', value: ratio, unit: 'x', target: '>= 0.6', met: ratio >= 0.6 })
  const gain = median(duplicates) / median(created)
  add({ measured: 'all duplicates / all new', value: gain, unit: 'x', target: '>= 3', met: gain >= 3 })
}

async function posts(): Promise<void> {
  const grouped: number[] = []
  const alone: number[] = []
  const perCommit: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const together = await startService(folder())
    grouped.push(rate(await run('post-client.ts', [together.url, `post-${round}`, '64', String(POSTS)]), 'items'))
    perCommit.push(
      (await together.metric('ingot_commit_items_sum')) / (await together.metric('ingot_commit_items_count')),
    )
    await together.stop()
    const single = await startService(folder(), ['commit/one-by-one'])
    alone.push(rate(await run('post-client.ts', [single.url, `post-${round}`, '64', String(POSTS)]), 'items'))
    await single.stop()
  }
  add({ measured: 'single POSTs, 64 connections, group commit', value: median(grouped), unit: 'items/s' })
  add({ measured: 'single POSTs, 64 connections, a commit per item', value: median(alone), unit: 'items/s' })
  add({
    measured: 'items per commit (one fsync each)',
    value: median(perCommit),
    unit: 'items',
    target: '>= 8',
    met: median(perCommit) >= 8,
  })
  const gain = median(grouped) / median(alone)
  add({ measured: 'group commit / a commit per item', value: gain, unit: 'x', target: '>= 2', met: gain >= 2 })
}

async function memory(): Promise<void> {
  const service = await startService(folder())
  const result = await run('stream-client.ts', [service.url, 'generate', 'memory', String(STREAMED)])
  const peak = service.peakMemory() / 1e6
  await service.stop()
  add({ measured: `NDJSON over HTTP, one stream of ${STREAMED} items`, value: rate(result, 'created'), unit: 'rows/s' })
  add({ measured: 'its peak resident memory', value: peak, unit: 'MB', target: '< 250', met: peak < 250 })
}

try {
  const file = join(work, 'items.ndjson')
  writeFileSync(file, ndjson('stream', 0, ITEMS))
  await streams(file)
  await posts()
  await memory()
  mkdirSync('out/bench', { recursive: true })
  writeFileSync('out/bench/ingest.json', `${JSON.stringify({ node: process.version, quick, rows }, null, 2)}\n`)
  if (rows.some((row) => row.met === false)) process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

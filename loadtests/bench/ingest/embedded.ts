/** Sections `streams`, `posts` and `memory`: the embedded store on one machine. */
import type { Bench } from './bench.ts'
import { createFigures } from './bench.ts'
import { rate, run, startService } from './processes.ts'
import { median } from './report.ts'

export async function streams({ report, quick, folder, files }: Bench): Promise<void> {
  const sizes = quick ? [256, 1_024] : [256, 1_024, 4_096]
  const [file = ''] = files('stream', quick ? 50_000 : 1_000_000, 1)
  const figures = createFigures()
  for (let round = 0; round < (quick ? 1 : 2); round++) {
    for (const size of sizes)
      figures.add(`bare ${size}`, rate(await run('bare.ts', [folder(), file, String(size)]), 'items'))
    const data = folder()
    const first = await startService(data)
    figures.add('created', rate(await run('stream-client.ts', [first.url, file]), 'created'))
    await first.stop()
    const second = await startService(data)
    figures.add('duplicates', rate(await run('stream-client.ts', [second.url, file]), 'duplicate'))
    await second.stop()
  }
  const bare = (size: number): number => median(figures.of(`bare ${size}`))
  const created = median(figures.of('created'))
  const duplicates = median(figures.of('duplicates'))
  for (const size of sizes) report.add({ measured: `bare loop, batches of ${size}`, value: bare(size), unit: 'rows/s' })
  report.add({ measured: 'NDJSON over HTTP, all new', value: created, unit: 'rows/s' })
  report.add({ measured: 'NDJSON over HTTP, all duplicates, after a restart', value: duplicates, unit: 'rows/s' })
  report.atLeast('all new / best bare loop', created / Math.max(...sizes.map(bare)), 0.6)
  report.atLeast('all duplicates / all new', duplicates / created, 3)
}

export async function posts({ report, quick, folder }: Bench): Promise<void> {
  const count = String(quick ? 5_000 : 30_000)
  const figures = createFigures()
  for (let round = 0; round < (quick ? 1 : 2); round++) {
    const together = await startService(folder())
    figures.add('grouped', rate(await run('post-client.ts', [together.url, `post-${round}`, '64', count]), 'items'))
    const items = await together.metric('ingot_commit_items_sum')
    figures.add('per commit', items / (await together.metric('ingot_commit_items_count')))
    await together.stop()
    const single = await startService(folder(), { failpoints: ['commit/one-by-one'] })
    figures.add('alone', rate(await run('post-client.ts', [single.url, `post-${round}`, '64', count]), 'items'))
    await single.stop()
  }
  const [grouped, alone, perCommit] = ['grouped', 'alone', 'per commit'].map((name) => median(figures.of(name)))
  if (grouped === undefined || alone === undefined || perCommit === undefined) return
  report.add({ measured: 'single POSTs, 64 connections, group commit', value: grouped, unit: 'items/s' })
  report.add({ measured: 'single POSTs, 64 connections, a commit per item', value: alone, unit: 'items/s' })
  const enough = { target: '>= 8', met: perCommit >= 8 }
  report.add({ measured: 'items per commit (one fsync each)', value: perCommit, unit: 'items', ...enough })
  report.atLeast('group commit / a commit per item', grouped / alone, 2)
}

export async function memory({ report, quick, folder }: Bench): Promise<void> {
  const count = quick ? 200_000 : 2_000_000
  const service = await startService(folder())
  const result = await run('stream-client.ts', [service.url, 'generate', 'memory', String(count)])
  const peak = service.peakMemory() / 1e6
  await service.stop()
  const measured = `NDJSON over HTTP, one stream of ${count} items`
  report.add({ measured, value: rate(result, 'created'), unit: 'rows/s' })
  report.add({ measured: 'its peak resident memory', value: peak, unit: 'MB', target: '< 250', met: peak < 250 })
}

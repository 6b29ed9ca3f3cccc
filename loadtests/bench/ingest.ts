/**
 * `npm run bench:ingest`: measures the speed of ingestion, as ratios within one run. Each contender is a separate process on
 * a new folder or an empty database. Rounds are interleaved, and the median counts. `-- --quick` uses a tenth of the items.
 * `-- --only streams,replicas` runs only these sections. All sections but the first three
 * and `observed` need Docker.
 * Prints a table and writes out/bench/ingest.json. Exits with 1 if a target was missed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Section, writeParts } from './ingest/bench.ts'
import { memory, posts, streams } from './ingest/embedded.ts'
import { growth } from './ingest/growth.ts'
import { latency } from './ingest/latency.ts'
import { locked } from './ingest/locked.ts'
import { observed } from './ingest/observed.ts'
import { duplicates, naive, replicas } from './ingest/replicas.ts'
import { createReport } from './ingest/report.ts'
import { createServers } from './ingest/servers.ts'

const SECTIONS: Readonly<Record<string, Section>> = {
  streams,
  posts,
  memory,
  replicas,
  naive,
  duplicates,
  latency,
  locked,
  growth,
  observed,
}

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } } })
const chosen = values.only?.split(',') ?? Object.keys(SECTIONS)
const unknown = chosen.filter((name) => SECTIONS[name] === undefined)
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(', ')}; there are ${Object.keys(SECTIONS).join(', ')}`)
  process.exit(2)
}

const work = mkdtempSync(join(tmpdir(), 'ingot-bench-'))
let folders = 0
const report = createReport()
const servers = createServers()
const bench = {
  report,
  servers,
  quick: values.quick,
  folder: () => join(work, `data-${++folders}`),
  files: (series: string, count: number, parts: number) => writeParts(work, series, { count, parts }),
}

/** Nothing is left behind, also after an interruption. */
async function cleanUp(): Promise<void> {
  await servers[Symbol.asyncDispose]()
  rmSync(work, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void cleanUp().finally(() => process.exit(4)))

try {
  for (const name of chosen) await report.section(name, async () => SECTIONS[name]?.(bench))
  report.write({ quick: values.quick, postgres: await servers.facts() })
  if (report.missed) process.exitCode = 1
} finally {
  await cleanUp()
}

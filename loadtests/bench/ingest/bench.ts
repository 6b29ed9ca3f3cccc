/** What every section of the benchmark works with. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ndjson } from './items.ts'
import { type Env, type Service, startService } from './processes.ts'
import type { Report } from './report.ts'
import type { Servers } from './servers.ts'

export interface Bench {
  readonly report: Report
  readonly servers: Servers
  /** A tenth of everything, to see that it runs. */
  readonly quick: boolean
  /** Another new folder at each call. */
  readonly folder: () => string
  /** A file of NDJSON for each of `parts`, together the items 0 to `count` of a series. */
  readonly files: (series: string, count: number, parts: number) => readonly string[]
}

export type Section = (bench: Bench) => Promise<void>

export function writeParts(folder: string, series: string, { count, parts }: { count: number; parts: number }) {
  return Array.from({ length: parts }, (_, part) => {
    const file = join(folder, `${series}-${count}-${part + 1}-of-${parts}.ndjson`)
    writeFileSync(file, ndjson(series, Math.floor((part * count) / parts), Math.floor(((part + 1) * count) / parts)))
    return file
  })
}

/** Runs with that many services of the same settings, and ends them. */
export async function withReplicas<T>(
  bench: Bench,
  { replicas, env }: { readonly replicas: number; readonly env: Env },
  use: (services: readonly Service[], urls: string) => Promise<T>,
): Promise<T> {
  const services = await Promise.all(Array.from({ length: replicas }, () => startService(bench.folder(), { env })))
  try {
    return await use(services, services.map((service) => service.url).join(','))
  } finally {
    await Promise.all(services.map((service) => service.stop()))
  }
}

/** Figures by contender, gathered over interleaved rounds. */
export interface Figures {
  add(contender: string, figure: number): void
  of(contender: string): readonly number[]
}

export function createFigures(): Figures {
  const figures = new Map<string, number[]>()
  return {
    add: (contender, figure) => void figures.set(contender, [...(figures.get(contender) ?? []), figure]),
    of: (contender) => figures.get(contender) ?? [],
  }
}

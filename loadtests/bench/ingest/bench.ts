/** The parts that all sections of the benchmark use. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ndjson } from './items.ts'
import { type Env, type Service, startService } from './processes.ts'
import type { Report } from './report.ts'
import type { Servers } from './servers.ts'

export interface Bench {
  readonly report: Report
  readonly servers: Servers
  /** True for a tenth of all items, to check that the benchmark runs. */
  readonly quick: boolean
  /** Returns a new folder at each call. */
  readonly folder: () => string
  /** Writes the items 0 to `count` of a series into `parts` NDJSON files, and returns their paths. */
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

/** Runs `work` with a number of services with the same settings, and ends them. */
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

/** Results by contender, from interleaved rounds. */
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

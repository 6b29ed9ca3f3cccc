/** Reports results: prints each one, and writes all as JSON at the end, with the state of the machine. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'

export interface Row {
  readonly measured: string
  readonly value: number
  readonly unit: string
  /** Target. A row without one is for comparison only. */
  readonly target?: string
  readonly met?: boolean
}

export interface Report {
  add(row: Row): void
  /** Reports a ratio that should be at least `least`. */
  atLeast(measured: string, ratio: number, least: number): void
  atMost(measured: string, ratio: number, most: number): void
  /** Runs a section under its own heading. */
  section(name: string, run: () => Promise<void>): Promise<void>
  write(facts: Readonly<Record<string, unknown>>): void
  readonly missed: boolean
}

interface Entry extends Row {
  readonly section: string
}

interface SectionRun {
  readonly section: string
  readonly seconds: number
  /** One-minute load average before and after, which shows other load on the machine. */
  readonly load: readonly [number, number]
}

const OUT = new URL('../../../out/bench/', import.meta.url)

const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem() }

/** Returns the one-minute load average. */
const load = (): number => loadavg()[0] ?? Number.NaN

export function createReport(): Report {
  const rows: Entry[] = []
  const sections: SectionRun[] = []
  let current = ''

  function add(row: Row): void {
    rows.push({ section: current, ...row })
    console.log(line(row))
  }

  return {
    add,
    atLeast: (measured, value, least) =>
      add({ measured, value, unit: 'x', target: `>= ${least}`, met: value >= least }),
    atMost: (measured, value, most) => add({ measured, value, unit: 'x', target: `<= ${most}`, met: value <= most }),
    async section(name, run) {
      current = name
      const before = load()
      const start = performance.now()
      console.log(`\n## ${name} (load ${before.toFixed(1)})`)
      await run()
      sections.push({ section: name, seconds: (performance.now() - start) / 1_000, load: [before, load()] })
    },
    write(facts) {
      mkdirSync(OUT, { recursive: true })
      const origin = { recordedAt: new Date().toISOString(), command: commandLine('bench:ingest') }
      const text = JSON.stringify({ machine, ...origin, ...facts, sections, rows }, null, 2)
      writeFileSync(new URL('ingest.json', OUT), `${text}\n`)
    },
    get missed() {
      return rows.some((row) => row.met === false)
    },
  }
}

/** Returns the npm command of this run, with its options. */
export function commandLine(script: string): string {
  const options = process.argv.slice(2)
  return ['npm run', script, ...(options.length === 0 ? [] : ['--', ...options])].join(' ')
}

const WIDTH = 72

function line({ measured, value, unit, target = '', met }: Row): string {
  const verdict = met === undefined ? '' : met ? '  met' : '  MISSED'
  const figure = Math.abs(value) >= 1_000 ? value.toFixed(0) : value.toFixed(2)
  return `${measured.padEnd(WIDTH)} ${figure.padStart(10)} ${unit.padEnd(8)} ${target}${verdict}`
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[(sorted.length >> 1) - 1] ?? Number.NaN)) / 2
}

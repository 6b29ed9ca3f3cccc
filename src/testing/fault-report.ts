/**
 * Writes the durations for which faults kept clients from their locks to `out/locks/faults.md`, a line for each fault and
 * backend. Every test writes its own line, so several test files create one table.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OUT } from '../drill/checkout.ts'

export interface FaultLine {
  /** The fault, in a few words. */
  readonly fault: string
  /** The target, such as `redis, Sentinel`. */
  readonly on: string
  /** Milliseconds from the last success before the fault to the first one after it. Absent if there was no interruption. */
  readonly outageMs?: number
  /** The observation. */
  readonly seen: string
}

const FOLDER = join(OUT, 'locks', 'faults')
const TABLE = join(OUT, 'locks', 'faults.md')

function row({ fault, on, outageMs, seen }: FaultLine): string {
  return `| ${fault} | ${on} | ${outageMs === undefined ? 'none' : `${Math.round(outageMs)} ms`} | ${seen} |`
}

/** Adds the line, or replaces that of the same fault and backend, and rewrites the table. */
export function reportFault(line: FaultLine): void {
  mkdirSync(FOLDER, { recursive: true })
  const name = `${line.on} ${line.fault}`.toLowerCase().replaceAll(/[^a-z\d]+/g, '-')
  writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(line))
  const files = readdirSync(FOLDER).toSorted()
  const lines = files.map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as FaultLine)
  const head = ['# Faults', '', '| fault | on | outage for a client | what was seen |', '|---|---|---|---|']
  writeFileSync(TABLE, `${[...head, ...lines.map(row)].join('\n')}\n`)
}

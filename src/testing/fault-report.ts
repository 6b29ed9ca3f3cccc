/**
 * How long each fault kept clients from their locks: `out/locks/faults.md`, one line per fault and backend. Every test
 * writes its own line, so that files that run apart make one table.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OUT } from '../std/checkout.ts'

export interface FaultLine {
  /** What was done, as a few words. */
  readonly fault: string
  /** On what: `redis, Sentinel`. */
  readonly on: string
  /** From the last success before the fault to the first after it, in milliseconds; absent where nothing stood still. */
  readonly outageMs?: number
  /** What was seen. */
  readonly seen: string
}

const FOLDER = join(OUT, 'locks', 'faults')
const TABLE = join(OUT, 'locks', 'faults.md')

function row({ fault, on, outageMs, seen }: FaultLine): string {
  return `| ${fault} | ${on} | ${outageMs === undefined ? 'none' : `${Math.round(outageMs)} ms`} | ${seen} |`
}

/** Adds the line, in the place of an earlier one for the same fault and backend, and writes the table anew. */
export function reportFault(line: FaultLine): void {
  mkdirSync(FOLDER, { recursive: true })
  const name = `${line.on} ${line.fault}`.toLowerCase().replaceAll(/[^a-z\d]+/g, '-')
  writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(line))
  const files = readdirSync(FOLDER).toSorted()
  const lines = files.map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as FaultLine)
  const head = ['# Faults', '', '| fault | on | outage for a client | what was seen |', '|---|---|---|---|']
  writeFileSync(TABLE, `${[...head, ...lines.map(row)].join('\n')}\n`)
}

/**
 * Reads the content of a Postgres store in one pass, and writes it in parts. Memory use does not depend on the number
 * of rows.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { IngotError } from '../../errors/error.ts'
import type { FinalStore, StoredRow } from '../checkers/final-store.ts'
import { NUMBER_PATTERN } from '../workloads/content.ts'
import { idOfHex } from './item-id.ts'
import { PLAN, type Query } from './postgres.ts'

export interface SpreadOptions {
  readonly folder: string
  readonly parts: number
}

const PAGE_ROWS = 20_000

/** The number in the content determines the part. A row without a number was never sent, and part 0 judges it. */
const ROWS = (parts: number): string => `
  SELECT c.name, encode(i.id, 'hex') AS id, encode(sha256(i.content), 'hex') AS bytes,
    coalesce(substring(encode(i.content, 'escape') from '${NUMBER_PATTERN}')::numeric % ${parts}, 0) AS part
  FROM ingot_items i JOIN ingot_collections c ON c.id = i.collection`

/**
 * Writes one file of rows per part into the folder. Resolves with the number of rows. `query` must keep to one
 * connection. Rejects with the error of `query`, or if a file cannot be written.
 */
export async function spreadPostgresRows(query: Query, { folder, parts }: SpreadOptions): Promise<number> {
  const files = Array.from({ length: parts }, (_, part) => openSync(rowsFile(folder, part), 'w'))
  try {
    await query(PLAN)
    await query(`BEGIN; DECLARE stored NO SCROLL CURSOR FOR ${ROWS(parts)}`)
    let count = 0
    for (;;) {
      const rows = await query(`FETCH ${PAGE_ROWS} FROM stored`)
      if (rows.length === 0) break
      count += rows.length
      writePage(files, rows)
    }
    await query('COMMIT')
    return count
  } finally {
    for (const fd of files) closeSync(fd)
  }
}

type Row = Awaited<ReturnType<Query>>[number]

function writePage(files: readonly number[], rows: readonly Row[]): void {
  for (const [part, ofPart] of Map.groupBy(rows, (row) => Number(row['part']))) {
    const fd = files[part]
    if (fd === undefined) throw new RangeError(`there is no part ${part}`)
    writeSync(fd, ofPart.map(lineOf).join(''))
  }
}

function lineOf(row: Row): string {
  return `${[String(row['name']), idOfHex(String(row['id'])), String(row['bytes'])].join('\t')}\n`
}

/** Returns the path of a part's file. */
export function rowsFile(folder: string, part: number): string {
  return join(folder, `rows-${part}.tsv`)
}

/** Returns the rows of one part. Throws IngotError INPUT_UNREADABLE. */
export function readSpreadRows(folder: string, part: number): FinalStore {
  const path = rowsFile(folder, part)
  const lines = textOf(path).split('\n').slice(0, -1)
  return { rows: lines.map((line, index) => rowOf(line, `line ${index + 1} of "${path}"`)) }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new IngotError('INPUT_UNREADABLE', `cannot read the rows "${path}": ${why}`, { cause })
  }
}

function rowOf(line: string, where: string): StoredRow {
  const [collection, id, bytes, ...rest] = line.split('\t')
  if (collection === undefined || id === undefined || bytes === undefined || rest.length > 0) {
    throw new IngotError('INPUT_UNREADABLE', `${where} is not a row of three columns`)
  }
  return { collection, id, bytes }
}

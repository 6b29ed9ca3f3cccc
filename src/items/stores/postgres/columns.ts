/** Values of answers, read as what the functions in migrations/ say they are. */

import { IngotError } from '../../../errors/error.ts'
import type { Rows } from '../../../postgres/pool.ts'

export type Row = Rows['rows'][number]

/** The only row of an answer. */
export function onlyRow({ rows }: Rows): Row {
  const [row] = rows
  if (row === undefined) throw unexpected('a row')
  return row
}

export function text(row: Row, column: string): string {
  const value = row[column]
  if (typeof value === 'string') return value
  throw unexpected(`text in ${column}`)
}

/** Integers of 64 bits arrive as text, those of 32 as numbers. What is read so fits a double. */
export function number(row: Row, column: string): number {
  const value = Number(row[column] ?? Number.NaN)
  if (Number.isSafeInteger(value)) return value
  throw unexpected(`a whole number in ${column}`)
}

export function flag(row: Row, column: string): boolean {
  const value = row[column]
  if (typeof value === 'boolean') return value
  throw unexpected(`true or false in ${column}`)
}

export function bytes(row: Row, column: string): Buffer {
  const value = row[column]
  if (Buffer.isBuffer(value)) return value
  throw unexpected(`bytes in ${column}`)
}

export function numbers(row: Row, column: string): readonly number[] {
  return list(row, column).map(Number)
}

export function flags(row: Row, column: string): readonly boolean[] {
  return list(row, column).map((value) => value === true)
}

function list(row: Row, column: string): readonly unknown[] {
  const value = row[column]
  if (Array.isArray(value)) return value
  throw unexpected(`a list in ${column}`)
}

function unexpected(what: string): IngotError {
  return new IngotError('STORE_CORRUPT', `the database answered without ${what}: were ingot's functions changed?`)
}

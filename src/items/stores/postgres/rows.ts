/** Reads rows of ingot's tables and results of its functions. Checks their types and checksums. */
import { IngotError } from '../../../errors/error.ts'
import { type IdentityPolicy, parsePolicy } from '../../../identity/policy.ts'
import type { Rows } from '../../../postgres/pool.ts'
import { checksumOf } from '../../checksum.ts'
import { damaged, type ItemRow } from '../../item-check.ts'

export type Row = Rows['rows'][number]

/** Returns the only row of a result. */
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

/**
 * Reads an integer. Postgres sends 64-bit integers as text and 32-bit integers as numbers. All of ours fit a double.
 */
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
  return new IngotError('STORE_CORRUPT', `the result of the database lacks ${what}: were ingot's functions changed?`)
}

interface CollectionText {
  readonly name: string
  /** The policy as JSON text. */
  readonly policy: string
}

export function collectionChecksum({ name, policy }: CollectionText): number {
  return checksumOf([name, policy])
}

/**
 * Returns the policy of a row with `policy` and `checksum`. Throws IngotError STORE_CORRUPT if the checksum or the
 * policy is wrong.
 */
export function policyOfRow(name: string, row: Row): IdentityPolicy {
  const policy = text(row, 'policy')
  const checksum = optionalNumber(row, 'checksum')
  if (checksum !== null && checksum !== collectionChecksum({ name, policy })) throw damagedPolicy(name)
  try {
    return parsePolicy(JSON.parse(policy))
  } catch {
    // any error means damage, because only policies were stored
    throw damagedPolicy(name)
  }
}

function damagedPolicy(name: string): Error {
  return damaged(`the policy of collection "${name}"`)
}

/** Reads a row with `id`, `media`, `first_seen_ms`, `content` and `checksum`. */
export function itemOfRow(row: Row): ItemRow {
  return {
    key: bytes(row, 'id'),
    media: row['media'] === null ? 'application/json' : text(row, 'media'),
    firstSeenMs: number(row, 'first_seen_ms'),
    content: bytes(row, 'content'),
    checksum: optionalNumber(row, 'checksum'),
  }
}

export function optionalNumber(row: Row, column: string): number | null {
  return row[column] === null ? null : number(row, column)
}

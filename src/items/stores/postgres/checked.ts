/** Rows with a checksum, read and judged. */
import { type IdentityPolicy, parsePolicy } from '../../../identity/policy.ts'
import { checksumOf } from '../../checksum.ts'
import { damaged, type ItemRow } from '../../item-check.ts'
import { bytes, number, type Row, text } from './columns.ts'

interface CollectionText {
  readonly name: string
  /** The policy's text. */
  readonly policy: string
}

export function collectionChecksum({ name, policy }: CollectionText): number {
  return checksumOf([name, policy])
}

/** Returns the policy of a row with `policy` and `checksum`. Throws IngotError STORE_CORRUPT when the checksum differs. */
export function policyOfRow(name: string, row: Row): IdentityPolicy {
  const policy = text(row, 'policy')
  const checksum = optionalNumber(row, 'checksum')
  if (checksum !== null && checksum !== collectionChecksum({ name, policy })) throw damagedPolicy(name)
  try {
    return parsePolicy(JSON.parse(policy))
  } catch {
    // whatever is wrong with it: only policies were stored
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

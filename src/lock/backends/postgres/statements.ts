/** The statements of the Postgres lock, and their results. Durations are microseconds on the server. */
import type { Statement } from '../../../postgres/transactions.ts'
import type { Lease, LeaseRequest } from '../../backend.ts'
import type { Key } from '../../lock.ts'

type Row = Readonly<Record<string, unknown>>

export type TakeReply =
  | { readonly kind: 'granted' | 'repeated'; readonly fence: bigint; readonly remainingMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number }

const bytesOf = (key: Key): Buffer => Buffer.from(key)
const microseconds = (ms: number): string => String(Math.round(ms * 1_000))
const milliseconds = (us: unknown): number => Number(us) / 1_000

/** Returns one attempt for each request. `channelOf` returns '' for a request that does not wait. */
export function takeStatement(requests: readonly LeaseRequest[], channelOf: (of: LeaseRequest) => string): Statement {
  return {
    text: 'SELECT word, fence, left_us FROM ingot_lock_take_1($1::bytea[], $2::text[], $3::bigint[], $4::text[])',
    values: [
      requests.map(({ key }) => bytesOf(key)),
      requests.map(({ token }) => token),
      requests.map(({ ttlMs }) => microseconds(ttlMs)),
      requests.map(channelOf),
    ],
  }
}

export function takeReply(row: Row): TakeReply {
  const remainingMs = milliseconds(row['left_us'])
  const { word, fence } = row
  if (word === 'held') return { kind: 'held', remainingMs }
  if ((word === 'granted' || word === 'repeated') && typeof fence === 'string') {
    return { kind: word, fence: BigInt(fence), remainingMs }
  }
  throw new Error(`unknown reply ${JSON.stringify(word)}`)
}

export function extendStatement({ key, token, ttlMs }: LeaseRequest): Statement {
  const values = [bytesOf(key), token, microseconds(ttlMs)]
  return { text: 'SELECT ingot_lock_extend_1($1::bytea, $2::text, $3::bigint) AS left_us', values }
}

/** Returns the remaining milliseconds, or undefined if the token has no lease. */
export function extendReply(row: Row): number | undefined {
  return row['left_us'] === null ? undefined : milliseconds(row['left_us'])
}

export function releaseStatement({ key, token }: Lease, onlyIfKept: boolean): Statement {
  const values = [bytesOf(key), token, onlyIfKept]
  return { text: 'SELECT ingot_lock_release_1($1::bytea, $2::text, $3::boolean) AS released', values }
}

export function inspectStatement(key: Key): Statement {
  const text = `
    SELECT fence, greatest(0, extract(epoch FROM least(ends - clock_timestamp(), ttl)) * 1000000)::bigint AS left_us
    FROM ingot_lock WHERE key = $1::bytea AND token IS NOT NULL AND ends > clock_timestamp()`
  return { text, values: [bytesOf(key)] }
}

export function inspectReply(row: Row): { readonly fence: bigint; readonly remainingMs: number } {
  return { fence: BigInt(String(row['fence'])), remainingMs: milliseconds(row['left_us']) }
}

/** What decides whether the server loses grants. Standbys are the connected ones, and those that have a slot. */
export const DURABILITY: Statement = {
  text: `
    SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commits,
      current_setting('synchronous_standby_names') AS names,
      (SELECT count(*) FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup')
        + (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical') AS standbys,
      (SELECT system_identifier::text FROM pg_control_system()) AS system,
      left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS timeline`,
}

/** Excludes other raises. Two that read the counter together could put it back. */
export const RAISE_TURN: Statement = { text: "SELECT pg_advisory_xact_lock(x'696e676f746c'::bigint)" }

/** Raises the counter of fences to a number, unless it is higher. */
export function raiseStatement(least: bigint): Statement {
  return {
    text: "SELECT setval('ingot_fence', $1::bigint) FROM ingot_fence WHERE last_value < $1::bigint",
    values: [String(least)],
  }
}

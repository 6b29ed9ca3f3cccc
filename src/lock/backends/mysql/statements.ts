/**
 * The statements of the MySQL lock, for MySQL and MariaDB. Each text is fixed, and runs with autocommit in one round
 * trip. Durations are microseconds on the server.
 *
 * `ends` is assigned last, because the assignments before it read its old value. A lease never counts for longer than its
 * own length, so a clock that goes back does not keep a dead holder.
 */
import { createHash } from 'node:crypto'
import type { Key, Token } from '../../lock.ts'

export interface Statement {
  readonly text: string
  readonly values: readonly (string | number | Buffer)[]
}

const NOW = 'UTC_TIMESTAMP(6)'
const FREE = "TIMESTAMP('1970-01-02 00:00:00')"

/** A key is bytes: collations fold case and ignore trailing blanks. */
const hashOf = (key: Key): Buffer => createHash('sha256').update(key).digest()
const microseconds = (ms: number): number => Math.round(ms * 1_000)

const READ = `SELECT token, CAST(fence AS CHAR) AS fence, TIMESTAMPDIFF(MICROSECOND, ${NOW}, ends) AS left_us
FROM ingot_lock WHERE key_hash = ?`

/** Grants the key if it is free, and reads the row. A new row begins above the fences of the rows that were deleted. */
export function takeStatement(key: Key, token: Token, ttlMs: number): Statement {
  const [hash, us] = [hashOf(key), microseconds(ttlMs)]
  const text = `INSERT INTO ingot_lock (key_hash, token, fence, ends, ttl_us)
VALUES (?, ?, (SELECT n FROM ingot_lock_floor WHERE one = 1 LOCK IN SHARE MODE) + 1, ${NOW} + INTERVAL ? MICROSECOND, ?)
ON DUPLICATE KEY UPDATE
  fence = IF(ends > ${NOW}, fence, fence + 1),
  token = IF(ends > ${NOW}, token, ?),
  ttl_us = IF(ends > ${NOW}, ttl_us, ?),
  ends = IF(ends > ${NOW}, LEAST(ends, ${NOW} + INTERVAL ttl_us MICROSECOND), ${NOW} + INTERVAL ? MICROSECOND);
${READ}`
  return { text, values: [hash, token, us, us, token, us, us, hash] }
}

export function extendStatement(key: Key, token: Token, ttlMs: number): Statement {
  const [hash, us] = [hashOf(key), microseconds(ttlMs)]
  const text = `UPDATE ingot_lock SET
  ttl_us = GREATEST(ttl_us, ?),
  ends = LEAST(GREATEST(ends, ${NOW} + INTERVAL ? MICROSECOND), ${NOW} + INTERVAL GREATEST(ttl_us, ?) MICROSECOND)
WHERE key_hash = ? AND token = ? AND ends > ${NOW};
${READ} AND token = ? AND ends > ${NOW}`
  return { text, values: [us, us, us, hash, token, hash, token] }
}

/** The row stays, because its fence is the counter of the key. */
export function releaseStatement(key: Key, token: Token): Statement {
  const text = `UPDATE ingot_lock SET token = '', ends = ${FREE} WHERE key_hash = ? AND token = ? AND ends > ${NOW};
SELECT ROW_COUNT() AS changed`
  return { text, values: [hashOf(key), token] }
}

export function inspectStatement(key: Key): Statement {
  return { text: `${READ} AND ends > ${NOW}`, values: [hashOf(key)] }
}

/** Raises the fences of new rows, and of those that exist. */
export function raiseStatement(least: bigint): Statement {
  const floor = String(least)
  const text = `UPDATE ingot_lock_floor SET n = GREATEST(n, ?) WHERE one = 1;
UPDATE ingot_lock SET fence = fence + ? WHERE fence < ?;
SELECT 1`
  return { text, values: [floor, floor, floor] }
}

/** Rows of keys that were released, or whose lease ended an hour ago, are deleted. Each sweep looks at this many. */
const SWEPT = 1_000

/** Deletes old rows. First raises the floor above their fences, in the same transaction. */
export const SWEEP: Statement = {
  text: `START TRANSACTION;
SELECT n FROM ingot_lock_floor WHERE one = 1 FOR UPDATE;
SET @swept := (SELECT MAX(fence) FROM (
  SELECT fence FROM ingot_lock WHERE ends < ${NOW} - INTERVAL 1 HOUR ORDER BY fence LIMIT ${SWEPT} FOR UPDATE) old);
UPDATE ingot_lock_floor SET n = GREATEST(n, @swept) WHERE one = 1 AND @swept IS NOT NULL;
DELETE FROM ingot_lock WHERE ends < ${NOW} - INTERVAL 1 HOUR AND fence <= @swept;
COMMIT;
SELECT 1`,
  values: [],
}

/**
 * Settings that decide whether a crash or a failover forgets grants. A replica is a connection that reads the binary
 * log. Users without the right PROCESS do not see the connections of others.
 */
export const DURABILITY: Statement = {
  text: `SELECT @@innodb_flush_log_at_trx_commit AS flushes, @@log_bin AS logs, @@sync_binlog AS syncs,
  @@read_only AS read_only,
  (SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS') AS sees,
  (SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%') AS replicas`,
  values: [],
}

/** Decides from the settings of a server what its locks survive. */
import { IngotError } from '../../../errors/error.ts'
import type { Row } from './database.ts'

export interface Durability {
  readonly fencing: 'always' | 'within-epoch'
  /** Why fences may repeat. Absent if the fencing is `always`. */
  readonly reason?: string
}

/** Returns true for a switch that is on. Servers give it as a number or as a word. */
const isOn = (value: unknown): boolean => ['1', 'ON'].includes(String(value).toUpperCase())
const unsuitable = (what: string): IngotError => new IngotError('LOCK_UNSUITABLE', `MySQL: ${what}`)

/**
 * Returns the fencing that the server can promise. Throws `LOCK_UNSUITABLE` for a server that forgets grants in a crash:
 * with a binary log, recovery rolls back transactions that the log does not have.
 */
export function durabilityOf(row: Row): Durability {
  if (isOn(row['read_only'])) throw unsuitable('the server is read-only; name the primary in the URL')
  if (Number(row['flushes']) !== 1) {
    const what = `innodb_flush_log_at_trx_commit is ${String(row['flushes'])}: a crash would forget locks; set it to 1`
    throw unsuitable(what)
  }
  const logs = isOn(row['logs'])
  if (logs && Number(row['syncs']) !== 1) {
    throw unsuitable(`sync_binlog is ${String(row['syncs'])}: a crash would forget locks; set it to 1`)
  }
  if (Number(row['replicas']) > 0) return { fencing: 'within-epoch', reason: 'the server has replicas' }
  if (logs && Number(row['sees']) === 0) {
    const reason = 'the server has a binary log, and the user lacks the right PROCESS, which shows replicas'
    return { fencing: 'within-epoch', reason }
  }
  return { fencing: 'always' }
}

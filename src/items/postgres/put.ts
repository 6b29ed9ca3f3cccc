/**
 * Storing units: one transaction. Without Idempotency-Keys it is one round trip. With them the keys are claimed first
 * (a key that another transaction has claimed is waited for, then replayed), and the receipts, which depend on what
 * became of the items, are filled in last.
 *
 * Keys are claimed before items are touched, here and everywhere: one order, hence no deadlock. Should the server
 * still end a transaction as the victim of one, or of a serialization failure, nothing of it is stored and it is tried
 * again.
 */
import type { Rows } from '../../postgres/pool.ts'
import { COMMIT, type Statement, type Transactions } from '../../postgres/transactions.ts'
import type { Clock } from '../../std/clock.ts'
import { Fault } from '../../std/fault.ts'
import { fullJitter, retry } from '../../std/retry.ts'
import type { Unit, UnitOutcome } from '../store.ts'
import { type Batch, createBatch, type PutAnswer } from './batch.ts'
import { createClaims } from './claims.ts'
import { flags, numbers, onlyRow } from './columns.ts'

export type Put = (units: readonly Unit[], nowMs: number) => Promise<readonly UnitOutcome[]>

export interface PutDeps {
  readonly transactions: Transactions
  readonly clock: Clock
  /** Aborts when the store closes: nothing is tried again afterwards. */
  readonly closing: AbortSignal
  /** Told of every transaction that the server gave up and that is tried again. */
  readonly onRetry: (sqlstate: string) => void
}

/** Together about two seconds: two transactions that keep meeting are apart long before. */
const RETRIES = { baseMs: 10, maxMs: 500, attempts: 8 }

/** serialization_failure, deadlock_detected: the transaction is rolled back, and may succeed when run again. */
const ROLLED_BACK: ReadonlySet<unknown> = new Set(['40001', '40P01'])

const PUT = 'SELECT * FROM ingot_put_1($1, $2, $3, $4, $5, $6, $7, $8)'

export function createPut({ transactions, clock, closing, onRetry }: PutDeps): Put {
  /** Whether most rows of the last batch were duplicates: then a look before the insert is the cheaper order. */
  let lookFirst = false

  function statementOf(batch: Batch, nowMs: number): Statement {
    return { text: PUT, values: [...batch.values, nowMs, lookFirst] }
  }

  function outcomesOf(batch: Batch, rows: Rows, nowMs: number): readonly UnitOutcome[] {
    const answer = putAnswer(rows)
    if (batch.rowCount > 0) lookFirst = answer.known.size * 2 > batch.rowCount
    return batch.outcomes(answer, nowMs)
  }

  async function putPlain(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    const batch = createBatch(units)
    return outcomesOf(batch, await transactions.once(statementOf(batch, nowMs)), nowMs)
  }

  function putClaimed(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    return transactions.session(async (exchange) => {
      const claims = createClaims(units, nowMs)
      const [, kept = NOTHING] = await exchange([transactions.begin, claims.statement])
      const resolved = claims.resolve(kept.rows)
      const batch = createBatch(resolved.toStore)
      const [answer = NOTHING] = await exchange([statementOf(batch, nowMs)])
      const finished = resolved.finish(outcomesOf(batch, answer, nowMs))
      await exchange([finished.statement, COMMIT])
      return finished.outcomes
    })
  }

  function retryable(thrown: unknown): boolean {
    const sqlstate = thrown instanceof Fault ? thrown.facts['sqlstate'] : undefined
    if (!ROLLED_BACK.has(sqlstate)) return false
    onRetry(String(sqlstate))
    return true
  }

  return (units, nowMs) => {
    const attempt = units.some((unit) => unit.claim !== undefined) ? putClaimed : putPlain
    return retry(() => attempt(units, nowMs), { delays: fullJitter(RETRIES), clock, signal: closing, retryable })
  }
}

const NOTHING: Rows = { rows: [], count: 0 }

function putAnswer(rows: Rows): PutAnswer {
  const row = onlyRow(rows)
  const since = numbers(row, 'known_since')
  const known = numbers(row, 'known').map((at, index): [number, number] => [at - 1, since[index] ?? 0])
  return { accepted: flags(row, 'accepted'), known: new Map(known) }
}

/**
 * Storing units: one transaction. Without Idempotency-Keys it is one round trip. With them the keys are claimed first
 * (a key that another transaction has claimed is waited for, then replayed), and the receipts, which depend on what
 * became of the items, are filled in last.
 *
 * Keys are claimed before items are touched, here and everywhere: one order, hence no deadlock. Should the server
 * still end a transaction as the victim of one, or of a serialization failure, nothing of it is stored and it is tried
 * again.
 */

import { IngotError } from '../../../errors/error.ts'
import type { Rows } from '../../../postgres/pool.ts'
import { COMMIT, type Statement, type Transactions } from '../../../postgres/transactions.ts'
import type { Clock } from '../../../std/clock.ts'
import { fullJitter, retry } from '../../../std/retry.ts'
import type { Unit, UnitOutcome } from '../../store.ts'
import { type Batch, createBatch, createKnownRows, type KnownRows, type PutAnswer } from './batch.ts'
import { createIdempotencyBatch } from './idempotency.ts'
import { flags, numbers, onlyRow, type Row } from './rows.ts'

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

const LOOK = 'SELECT * FROM ingot_look_2($1, $2, $3, $4)'
const PUT = 'SELECT * FROM ingot_put_3($1, $2, $3, $4, $5, $6, $7, $8, $9)'

export function createPut({ transactions, clock, closing, onRetry }: PutDeps): Put {
  /** Whether most rows of the last batch were duplicates. */
  let lookFirst = false

  /**
   * Where duplicates abound a look comes first: it sends ids without contents and writes nothing. It only finds what is
   * committed; what it does not find is still inserted under the unique index.
   */
  async function look(batch: Batch): Promise<KnownRows> {
    const known = createKnownRows(batch.rowCount)
    if (!lookFirst) return known
    const answer = await transactions.once({ text: LOOK, values: batch.lookValues() })
    noteKnown(known, onlyRow(answer), known.unknown())
    return known
  }

  function learn(batch: Batch, known: KnownRows): void {
    if (batch.rowCount > 0) lookFirst = known.count * 2 > batch.rowCount
  }

  async function putPlain(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    const batch = createBatch(units)
    const found = await look(batch)
    const isAll = found.count === batch.rowCount && batch.hasRowsOfAll
    const answer = isAll ? { accepted: undefined, known: found } : await putRest(batch, found, nowMs)
    learn(batch, answer.known)
    return batch.outcomes(answer, nowMs)
  }

  async function putRest(batch: Batch, found: KnownRows, nowMs: number): Promise<PutAnswer> {
    const rest = found.unknown()
    return putAnswer(await transactions.once(putStatement(batch, rest, nowMs)), rest, found)
  }

  function putClaimed(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    return transactions.session(async (exchange) => {
      const claims = createIdempotencyBatch(units, nowMs)
      const [, kept = NOTHING] = await exchange([transactions.begin, claims.statement])
      const resolved = claims.resolve(kept.rows)
      const batch = createBatch(resolved.toStore)
      const known = createKnownRows(batch.rowCount)
      const rows = known.unknown()
      const [answered = NOTHING] = await exchange([putStatement(batch, rows, nowMs)])
      const answer = putAnswer(answered, rows, known)
      learn(batch, answer.known)
      const finished = resolved.finish(batch.outcomes(answer, nowMs))
      await exchange([finished.statement, COMMIT])
      return finished.outcomes
    })
  }

  function retryable(thrown: unknown): boolean {
    const sqlstate = thrown instanceof IngotError ? thrown.facts['sqlstate'] : undefined
    if (!ROLLED_BACK.has(sqlstate)) return false
    onRetry(String(sqlstate))
    return true
  }

  return (units, nowMs) => {
    const attempt = units.some((unit) => unit.idempotency !== undefined) ? putClaimed : putPlain
    return retry(() => attempt(units, nowMs), { delays: fullJitter(RETRIES), clock, signal: closing, retryable })
  }
}

const NOTHING: Rows = { rows: [], count: 0 }

function putStatement(batch: Batch, rows: readonly number[], nowMs: number): Statement {
  return { text: PUT, values: batch.putValues(rows, nowMs) }
}

/** The answer for `rows`, with what was found before. */
function putAnswer(answer: Rows, rows: readonly number[], known: KnownRows): PutAnswer {
  const row = onlyRow(answer)
  noteKnown(known, row, rows)
  return { accepted: flags(row, 'accepted'), known }
}

/** The server counts from 1, in the rows that were sent. */
function noteKnown(known: KnownRows, answer: Row, rows: readonly number[]): void {
  const since = numbers(answer, 'known_since')
  for (const [index, at] of numbers(answer, 'known').entries()) known.note(rows[at - 1] ?? -1, since[index] ?? 0)
}

/**
 * Stores units in one transaction. Without Idempotency-Keys this takes one round trip. With them, the keys are reserved
 * first. If another transaction has reserved a key, the server waits for it, and its receipt is replayed. The receipts
 * depend on the outcomes of the items, so they are stored last.
 *
 * Keys are always reserved before items are touched. This common order prevents deadlocks. If the server nevertheless
 * aborts a transaction because of a deadlock or a serialization failure, nothing of it is stored, and it is retried.
 */

import { IngotError } from '../../../errors/error.ts'
import type { Rows } from '../../../postgres/pool.ts'
import { COMMIT, type Statement, type Transactions } from '../../../postgres/transactions.ts'
import type { Clock } from '../../../std/clock.ts'
import { fullJitter, retry } from '../../../std/retry.ts'
import type { Unit, UnitOutcome } from '../../store.ts'
import { type Batch, createBatch, createKnownRows, type KnownRows, type PutResult } from './batch.ts'
import { createIdempotencyBatch } from './idempotency.ts'
import { flags, numbers, onlyRow, type Row } from './rows.ts'

export type Put = (units: readonly Unit[], nowMs: number) => Promise<readonly UnitOutcome[]>

export interface PutDeps {
  readonly transactions: Transactions
  readonly clock: Clock
  /** Aborts when the store closes. Ends retries. */
  readonly closing: AbortSignal
  /** Called before each retry of a transaction that the server aborted. */
  readonly onRetry: (sqlstate: string) => void
}

/** About two seconds in total. Two conflicting transactions are separated long before. */
const RETRIES = { baseMs: 10, maxMs: 500, attempts: 8 }

/** serialization_failure, deadlock_detected: the transaction was rolled back, and may succeed when repeated. */
const ROLLED_BACK: ReadonlySet<unknown> = new Set(['40001', '40P01'])

const LOOK_UP = 'SELECT * FROM ingot_look_2($1, $2, $3, $4)'
const PUT = 'SELECT * FROM ingot_put_3($1, $2, $3, $4, $5, $6, $7, $8, $9)'

export function createPut({ transactions, clock, closing, onRetry }: PutDeps): Put {
  /** True if most rows of the last batch were duplicates. */
  let lookUpFirst = false

  /**
   * Looks up rows before the put if duplicates are frequent. The lookup sends ids without contents and writes nothing.
   * It finds only committed rows. Rows that it does not find are still inserted under the unique index.
   */
  async function lookUp(batch: Batch): Promise<KnownRows> {
    const known = createKnownRows(batch.rowCount)
    if (!lookUpFirst) return known
    const reply = await transactions.once({ text: LOOK_UP, values: batch.lookupValues() })
    addKnown(known, onlyRow(reply), known.unknown())
    return known
  }

  function learn(batch: Batch, known: KnownRows): void {
    if (batch.rowCount > 0) lookUpFirst = known.count * 2 > batch.rowCount
  }

  async function putPlain(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    const batch = createBatch(units)
    const found = await lookUp(batch)
    const isAll = found.count === batch.rowCount && batch.hasRowsForAllTargets
    const result = isAll ? { accepted: undefined, known: found } : await putRest(batch, found, nowMs)
    learn(batch, result.known)
    return batch.outcomes(result, nowMs)
  }

  async function putRest(batch: Batch, found: KnownRows, nowMs: number): Promise<PutResult> {
    const rest = found.unknown()
    return readPutResult(await transactions.once(putStatement(batch, rest, nowMs)), rest, found)
  }

  function putWithKeys(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    return transactions.session(async (exchange) => {
      const keyBatch = createIdempotencyBatch(units, nowMs)
      const [, kept = NOTHING] = await exchange([transactions.begin, keyBatch.statement])
      const resolved = keyBatch.resolve(kept.rows)
      const batch = createBatch(resolved.toStore)
      const known = createKnownRows(batch.rowCount)
      const rows = known.unknown()
      const [reply = NOTHING] = await exchange([putStatement(batch, rows, nowMs)])
      const result = readPutResult(reply, rows, known)
      learn(batch, result.known)
      const finished = resolved.finish(batch.outcomes(result, nowMs))
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
    const attempt = units.some((unit) => unit.idempotency !== undefined) ? putWithKeys : putPlain
    return retry(() => attempt(units, nowMs), { delays: fullJitter(RETRIES), clock, signal: closing, retryable })
  }
}

const NOTHING: Rows = { rows: [], count: 0 }

function putStatement(batch: Batch, rows: readonly number[], nowMs: number): Statement {
  return { text: PUT, values: batch.putValues(rows, nowMs) }
}

/** Reads the result of the put function for `rows`, and adds the rows that were known before. */
function readPutResult(reply: Rows, rows: readonly number[], known: KnownRows): PutResult {
  const row = onlyRow(reply)
  addKnown(known, row, rows)
  return { accepted: flags(row, 'accepted'), known }
}

/** The server counts the sent rows from 1. */
function addKnown(known: KnownRows, row: Row, rows: readonly number[]): void {
  const since = numbers(row, 'known_since')
  for (const [index, at] of numbers(row, 'known').entries()) known.add(rows[at - 1] ?? -1, since[index] ?? 0)
}

/**
 * The Idempotency-Keys of a batch. If several units have the same key, the first one owns it. If it is stored, its
 * receipt is the response of the others. If the policy of its collection has changed, nothing is stored, and the others
 * have the same outcome.
 */
import type { Statement } from '../../../postgres/transactions.ts'
import { type Receipt, receiptChecksum, renderReceipt } from '../../receipt.ts'
import type { IdempotencyRequest, Unit, UnitOutcome } from '../../store.ts'
import { number, optionalNumber, type Row, text } from './rows.ts'

export interface IdempotencyBatch {
  /** Reserves the keys. Pass its result to `resolve`. */
  readonly statement: Statement
  /** Selects the units to store, after the keys are reserved. */
  resolve(kept: readonly Row[]): Resolved
}

export interface Resolved {
  readonly toStore: readonly Unit[]
  /** Adds receipts to the outcomes of `toStore`. */
  finish(outcomes: readonly UnitOutcome[]): Finished
}

export interface Finished {
  /** Stores the receipts, in the same transaction. */
  readonly statement: Statement
  /** One outcome per unit. */
  readonly outcomes: readonly UnitOutcome[]
}

interface KeptReceipt {
  readonly fingerprint: string
  readonly receipt: Receipt
  /** True if the stored receipt has changed. */
  readonly isDamaged: boolean
}

const RESERVE = 'SELECT * FROM ingot_claim_2($1, $2, $3, $4, $5)'
const SAVE = 'SELECT ingot_keep_2($1, $2, $3, $4, $5, $6)'

export function createIdempotencyBatch(units: readonly Unit[], nowMs: number): IdempotencyBatch {
  const owners = ownersOf(units)
  const requests = [...owners.values()].map((owner) => owner.request)
  return {
    statement: {
      text: RESERVE,
      values: [
        requests.map((request) => request.scope),
        requests.map((request) => request.key),
        requests.map((request) => request.fingerprint),
        requests.map((request) => request.expiresAtMs),
        nowMs,
      ],
    },
    resolve(rows) {
      const kept = new Map(
        rows.flatMap((row) => {
          const request = requests[number(row, 'ord') - 1]
          return request === undefined ? [] : [[keyOf(request), keptReceipt(request, row)] as const]
        }),
      )
      const stored = units
        .map((unit, at) => ({ unit, at }))
        .filter(({ unit, at }) => isToStore({ unit, at, owners, kept }))
      const toStore = stored.map(({ unit }) => unit)
      return { toStore, finish: (outcomes) => finish({ units, stored, outcomes, kept, nowMs }) }
    },
  }
}

interface Owner {
  /** Index of the unit. */
  readonly at: number
  readonly request: IdempotencyRequest
}

function keyOf(request: IdempotencyRequest): string {
  return JSON.stringify([request.scope, request.key])
}

function ownersOf(units: readonly Unit[]): ReadonlyMap<string, Owner> {
  const owners = new Map<string, Owner>()
  for (const [at, { idempotency: request }] of units.entries()) {
    if (request !== undefined && !owners.has(keyOf(request))) owners.set(keyOf(request), { at, request: request })
  }
  return owners
}

function keptReceipt({ scope, key }: IdempotencyRequest, row: Row): KeptReceipt {
  const receipt = { status: number(row, 'status'), body: text(row, 'body') }
  const fingerprint = text(row, 'fingerprint')
  const checksum = optionalNumber(row, 'checksum')
  const head = { scope, key, fingerprint, expiresAtMs: number(row, 'expires_ms') }
  return { fingerprint, receipt, isDamaged: checksum !== null && checksum !== receiptChecksum(head, receipt) }
}

interface Indexed {
  readonly unit: Unit
  readonly at: number
}

interface Candidate extends Indexed {
  readonly owners: ReadonlyMap<string, Owner>
  readonly kept: ReadonlyMap<string, KeptReceipt>
}

/** Returns true for a unit without a key, and for the owner of an unused key. */
function isToStore({ unit, at, owners, kept }: Candidate): boolean {
  if (unit.idempotency === undefined) return true
  const key = keyOf(unit.idempotency)
  return owners.get(key)?.at === at && !kept.has(key)
}

interface Work {
  readonly units: readonly Unit[]
  /** The units that were stored. `outcomes` are theirs. */
  readonly stored: readonly Indexed[]
  readonly outcomes: readonly UnitOutcome[]
  readonly kept: ReadonlyMap<string, KeptReceipt>
  readonly nowMs: number
}

function finish({ units, stored, outcomes, kept, nowMs }: Work): Finished {
  const done = new Map<number, UnitOutcome>()
  const known = new Map(kept)
  const fills: { readonly request: IdempotencyRequest; readonly receipt: Receipt | undefined }[] = []
  for (const [index, { unit, at }] of stored.entries()) {
    const outcome = withReceipt(unit, outcomes[index] ?? POLICY_CHANGED)
    done.set(at, outcome)
    if (unit.idempotency === undefined) continue
    const receipt = outcome.kind === 'stored' ? outcome.receipt : undefined
    fills.push({ request: unit.idempotency, receipt })
    if (receipt === undefined) continue
    known.set(keyOf(unit.idempotency), { fingerprint: unit.idempotency.fingerprint, receipt, isDamaged: false })
  }
  const values = [
    fills.map(({ request }) => request.scope),
    fills.map(({ request }) => request.key),
    fills.map(({ receipt }) => receipt?.status ?? null),
    fills.map(({ receipt }) => receipt?.body ?? null),
    fills.map(({ request, receipt }) => (receipt === undefined ? null : receiptChecksum(request, receipt))),
    nowMs,
  ]
  return { statement: { text: SAVE, values }, outcomes: units.map((unit, at) => done.get(at) ?? replay(unit, known)) }
}

const POLICY_CHANGED: UnitOutcome = { kind: 'policy-changed' }

function withReceipt({ idempotency: request, items }: Unit, outcome: UnitOutcome): UnitOutcome {
  if (request === undefined || outcome.kind !== 'stored') return outcome
  const ids = items.map((item) => item.id)
  return { ...outcome, receipt: renderReceipt(request.form, ids, outcome.outcomes) }
}

function replay({ idempotency: request }: Unit, known: ReadonlyMap<string, KeptReceipt>): UnitOutcome {
  const earlier = request && known.get(keyOf(request))
  if (earlier === undefined) return POLICY_CHANGED
  if (earlier.isDamaged) return { kind: 'receipt-damaged' }
  if (earlier.fingerprint !== request?.fingerprint) return { kind: 'key-reused' }
  return { kind: 'replayed', receipt: earlier.receipt }
}

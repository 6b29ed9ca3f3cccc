/**
 * The Idempotency-Keys of a batch. Of units that bring the same key the first owns it: when it is stored, its receipt is
 * the answer of the others; when the collection's policy has changed, nothing is kept, and the others are told the same.
 */
import type { Statement } from '../../../postgres/transactions.ts'
import { type Receipt, receiptChecksum, renderReceipt } from '../../receipt.ts'
import type { IdempotencyRequest, Unit, UnitOutcome } from '../../store.ts'
import { number, optionalNumber, type Row, text } from './rows.ts'

export interface IdempotencyBatch {
  /** Claims the keys. Its answer is given to `resolve`. */
  readonly statement: Statement
  /** Sorts out which units are to be stored, once the keys are claimed. */
  resolve(kept: readonly Row[]): Resolved
}

export interface Resolved {
  readonly toStore: readonly Unit[]
  /** Adds receipts to the outcomes of `toStore`. */
  finish(outcomes: readonly UnitOutcome[]): Finished
}

export interface Finished {
  /** Fills in the receipts, in the same transaction. */
  readonly statement: Statement
  /** One outcome for each unit. */
  readonly outcomes: readonly UnitOutcome[]
}

interface KeptReceipt {
  readonly fingerprint: string
  readonly receipt: Receipt
  /** Whether it is not what was stored. */
  readonly isDamaged: boolean
}

const CLAIM = 'SELECT * FROM ingot_claim_2($1, $2, $3, $4, $5)'
const KEEP = 'SELECT ingot_keep_2($1, $2, $3, $4, $5, $6)'

export function createIdempotencyBatch(units: readonly Unit[], nowMs: number): IdempotencyBatch {
  const owners = ownersOf(units)
  const claims = [...owners.values()].map((owner) => owner.claim)
  return {
    statement: {
      text: CLAIM,
      values: [
        claims.map((claim) => claim.scope),
        claims.map((claim) => claim.key),
        claims.map((claim) => claim.fingerprint),
        claims.map((claim) => claim.expiresAtMs),
        nowMs,
      ],
    },
    resolve(rows) {
      const kept = new Map(
        rows.flatMap((row) => {
          const claim = claims[number(row, 'ord') - 1]
          return claim === undefined ? [] : [[keyOf(claim), keptReceipt(claim, row)] as const]
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
  readonly claim: IdempotencyRequest
}

function keyOf(claim: IdempotencyRequest): string {
  return JSON.stringify([claim.scope, claim.key])
}

function ownersOf(units: readonly Unit[]): ReadonlyMap<string, Owner> {
  const owners = new Map<string, Owner>()
  for (const [at, { idempotency: claim }] of units.entries()) {
    if (claim !== undefined && !owners.has(keyOf(claim))) owners.set(keyOf(claim), { at, claim })
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

/** A unit without a key, or the owner of one that nobody used before. */
function isToStore({ unit, at, owners, kept }: Candidate): boolean {
  if (unit.idempotency === undefined) return true
  const key = keyOf(unit.idempotency)
  return owners.get(key)?.at === at && !kept.has(key)
}

interface Work {
  readonly units: readonly Unit[]
  /** The units that were stored, and their outcomes. */
  readonly stored: readonly Indexed[]
  readonly outcomes: readonly UnitOutcome[]
  readonly kept: ReadonlyMap<string, KeptReceipt>
  readonly nowMs: number
}

function finish({ units, stored, outcomes, kept, nowMs }: Work): Finished {
  const done = new Map<number, UnitOutcome>()
  const known = new Map(kept)
  const fills: { readonly claim: IdempotencyRequest; readonly receipt: Receipt | undefined }[] = []
  for (const [index, { unit, at }] of stored.entries()) {
    const outcome = withReceipt(unit, outcomes[index] ?? POLICY_CHANGED)
    done.set(at, outcome)
    if (unit.idempotency === undefined) continue
    const receipt = outcome.kind === 'stored' ? outcome.receipt : undefined
    fills.push({ claim: unit.idempotency, receipt })
    if (receipt === undefined) continue
    known.set(keyOf(unit.idempotency), { fingerprint: unit.idempotency.fingerprint, receipt, isDamaged: false })
  }
  const values = [
    fills.map(({ claim }) => claim.scope),
    fills.map(({ claim }) => claim.key),
    fills.map(({ receipt }) => receipt?.status ?? null),
    fills.map(({ receipt }) => receipt?.body ?? null),
    fills.map(({ claim, receipt }) => (receipt === undefined ? null : receiptChecksum(claim, receipt))),
    nowMs,
  ]
  return { statement: { text: KEEP, values }, outcomes: units.map((unit, at) => done.get(at) ?? replay(unit, known)) }
}

const POLICY_CHANGED: UnitOutcome = { kind: 'policy-changed' }

function withReceipt({ idempotency: claim, items }: Unit, outcome: UnitOutcome): UnitOutcome {
  if (claim === undefined || outcome.kind !== 'stored') return outcome
  const ids = items.map((item) => item.id)
  return { ...outcome, receipt: renderReceipt(claim.form, ids, outcome.outcomes) }
}

function replay({ idempotency: claim }: Unit, known: ReadonlyMap<string, KeptReceipt>): UnitOutcome {
  const earlier = claim && known.get(keyOf(claim))
  if (earlier === undefined) return POLICY_CHANGED
  if (earlier.isDamaged) return { kind: 'receipt-damaged' }
  if (earlier.fingerprint !== claim?.fingerprint) return { kind: 'key-reused' }
  return { kind: 'replayed', receipt: earlier.receipt }
}

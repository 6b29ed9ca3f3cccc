/**
 * The answer to a submission, as the client gets it. It is a pure function of what was sent and what became of it,
 * so that a store can compute it inside the transaction and keep it under the client's Idempotency-Key: a repeated
 * request is then answered with the very same bytes.
 */
import { checksumOf } from './checksum.ts'
import type { ItemId, ItemOutcome, ItemResult } from './item.ts'

export interface Receipt {
  readonly status: number
  /** JSON text. */
  readonly body: string
}

/** The row of a kept answer, besides the answer. */
interface ReceiptHead {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
  readonly expiresAtMs: number
}

/** Covers every column of a kept answer. */
export function receiptChecksum({ scope, key, fingerprint, expiresAtMs }: ReceiptHead, receipt: Receipt): number {
  return checksumOf([scope, key, fingerprint, expiresAtMs, receipt.status, receipt.body])
}

/** Whether this can have been rendered here. */
export function isAnswer({ status, body }: Receipt): boolean {
  try {
    return (status === 200 || status === 201) && typeof JSON.parse(body) === 'object'
  } catch {
    // what cannot be parsed is no answer
    return false
  }
}

interface Refusal {
  readonly kind: 'refused'
  readonly code: string
  readonly detail: string
}

/** Where the answer for one content comes from: refused, or the unit's item `at`; `repeat` when an earlier content is the same. */
export type ReceiptSlot = Refusal | { readonly kind: 'item'; readonly at: number; readonly repeat: boolean }

/** All that a receipt needs besides the outcomes. Plain data: it crosses threads. */
export interface ReceiptForm {
  readonly kind: 'single' | 'batch'
  readonly slots: readonly ReceiptSlot[]
}

/** What became of one content, as it is told. */
export type Entry = Refusal | (ItemOutcome & { readonly id: ItemId })

/** The receipt of a unit: `ids` and `outcomes` are those of its items. */
export function renderReceipt(form: ReceiptForm, ids: readonly ItemId[], outcomes: readonly ItemOutcome[]): Receipt {
  return renderEntries(form.kind, entriesOf(form, ids, outcomes))
}

export function entriesOf(
  form: ReceiptForm,
  ids: readonly ItemId[],
  outcomes: readonly ItemOutcome[],
): readonly Entry[] {
  return form.slots.map((slot): Entry => {
    if (slot.kind === 'refused') return slot
    const id = ids[slot.at]
    const outcome = outcomes[slot.at]
    if (id === undefined || outcome === undefined) throw new RangeError(`the unit has no item ${slot.at}`)
    return slot.repeat
      ? { kind: 'duplicate', id, firstSeenMs: outcome.firstSeenMs, foundBy: 'batch' }
      : { ...outcome, id }
  })
}

/** The receipt of results that were never kept. A single one must not be refused: that is a problem body, not a receipt. */
export function receiptOf(kind: ReceiptForm['kind'], results: readonly ItemResult[]): Receipt {
  return renderEntries(kind, results.map(toEntry))
}

/** Returns the id in a replayed receipt of one created item, `undefined` for any other receipt. */
export function createdIdOf({ status, body }: Receipt): ItemId | undefined {
  if (status !== 201) return undefined
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- rendered by renderEntries, and checked by the store
  return (JSON.parse(body) as { id: ItemId }).id
}

function toEntry(result: ItemResult): Entry {
  return result.kind === 'refused' ? refusal(result.fault) : result
}

export function refusal(fault: { readonly code: string; readonly message: string }): Refusal {
  return { kind: 'refused', code: fault.code, detail: fault.message }
}

function renderEntries(kind: ReceiptForm['kind'], entries: readonly Entry[]): Receipt {
  if (kind === 'batch') return { status: 200, body: JSON.stringify(batchBody(entries)) }
  const [entry] = entries
  if (entry === undefined || entry.kind === 'refused') throw new RangeError('a single receipt is of one accepted item')
  return { status: entry.kind === 'created' ? 201 : 200, body: JSON.stringify(itemBody(entry)) }
}

function batchBody(entries: readonly Entry[]): object {
  const counts = { created: 0, duplicate: 0, failed: 0 }
  for (const entry of entries) counts[entry.kind === 'refused' ? 'failed' : entry.kind]++
  const items = entries.map((entry, index) => ({ index, ...entryBody(entry) }))
  return { errors: counts.failed > 0, counts, items }
}

function entryBody(entry: Entry): object {
  if (entry.kind !== 'refused') return itemBody(entry)
  return { status: 'failed', error: { code: entry.code, detail: entry.detail } }
}

function itemBody(entry: Exclude<Entry, Refusal>): object {
  const seen = { id: entry.id, status: entry.kind, firstSeen: new Date(entry.firstSeenMs).toISOString() }
  return entry.kind === 'duplicate' ? { ...seen, foundBy: entry.foundBy } : seen
}

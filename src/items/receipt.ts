/**
 * The response to a submission. It is a pure function of the request and its outcomes, so a store can compute it inside
 * the transaction and store it under the client's Idempotency-Key. A repeated request then gets the same bytes.
 */
import { checksumOf } from './checksum.ts'
import type { ItemId, ItemOutcome, ItemResult } from './item.ts'

export interface Receipt {
  readonly status: number
  /** JSON text of the response. */
  readonly body: string
}

/** The columns of a stored receipt besides status and body. */
interface ReceiptHead {
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
  readonly expiresAtMs: number
}

/** Returns the checksum of every column of a stored receipt. */
export function receiptChecksum({ scope, key, fingerprint, expiresAtMs }: ReceiptHead, receipt: Receipt): number {
  return checksumOf([scope, key, fingerprint, expiresAtMs, receipt.status, receipt.body])
}

/** Returns true if `renderReceipt` could have returned this. */
export function isValidReceipt({ status, body }: Receipt): boolean {
  try {
    return (status === 200 || status === 201) && typeof JSON.parse(body) === 'object'
  } catch {
    // a receipt is always valid JSON
    return false
  }
}

interface Refusal {
  readonly kind: 'refused'
  readonly code: string
  readonly detail: string
}

/**
 * The source of the outcome of one content: a refusal, or item `at` of the unit. `repeat`: an earlier content is the
 * same.
 */
export type ReceiptSlot = Refusal | { readonly kind: 'item'; readonly at: number; readonly repeat: boolean }

/** Everything that a receipt needs besides the outcomes. It is plain data, because it is sent to a thread. */
export interface ReceiptForm {
  readonly kind: 'single' | 'batch'
  readonly slots: readonly ReceiptSlot[]
}

/** The outcome of one content, as the client gets it. */
export type Entry = Refusal | (ItemOutcome & { readonly id: ItemId })

/** Renders the receipt of a unit. `ids` and `outcomes` are those of its items. */
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

/**
 * Renders the receipt of results without a key. A single result must not be a refusal, because a refusal gets a problem
 * body.
 */
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
  return result.kind === 'refused' ? refusal(result.error) : result
}

export function refusal(error: { readonly code: string; readonly message: string }): Refusal {
  return { kind: 'refused', code: error.code, detail: error.message }
}

function renderEntries(kind: ReceiptForm['kind'], entries: readonly Entry[]): Receipt {
  if (kind === 'batch') return { status: 200, body: JSON.stringify(batchBody(entries)) }
  const [entry] = entries
  if (entry === undefined || entry.kind === 'refused') throw new RangeError('a single receipt needs one accepted item')
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

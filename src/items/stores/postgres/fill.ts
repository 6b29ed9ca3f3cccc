/**
 * Adds checksums to items without one: items of an older version, and items that its replicas stored during a rollout.
 * It reads the keys of all items in order, page by page, and updates in small transactions. It therefore blocks no
 * other client, and can be stopped and restarted at any time. It writes each such item once more.
 *
 * The checksum proves that an item has not changed since then. An item whose id shows damage gets no checksum.
 */
import { parsePolicy } from '../../../identity/policy.ts'
import { byteaArray, integerArray } from '../../../postgres/binary-array.ts'
import { createTransactions, type Transactions } from '../../../postgres/transactions.ts'
import { createItemChecksum } from '../../checksum.ts'
import { wrongId } from '../../item-check.ts'
import { itemIdOfKey } from '../../item-key.ts'
import { bytes, collectionChecksum, flag, itemOfRow, number, onlyRow, type Row, text } from './rows.ts'

export interface FillOptions {
  /** As in `migrate`. */
  readonly url: string
  readonly signal: AbortSignal
  readonly onProgress?: (seenItems: number) => void
}

export interface FillReport {
  /** Number of items that got a checksum. */
  readonly filled: number
  /** Number of items whose id does not match their content. `verify` names them. */
  readonly damaged: number
}

/** Keys per page. */
const PAGE_KEYS = 2_000

/** Items per transaction: at most this many, and fewer once they reach STEP_BYTES. */
const STEP_ITEMS = 250
const STEP_BYTES = 4 * 1_024 * 1_024

const KEYS = `SELECT collection, id, checksum IS NULL AS bare, octet_length(content) AS size FROM ingot_items
WHERE (collection, id) > ($1, $2) ORDER BY collection, id LIMIT ${PAGE_KEYS}`

const ITEMS = `SELECT c.name, c.policy, i.collection, i.id, i.media, i.first_seen_ms, i.content, i.checksum
FROM unnest($1::integer[], $2::bytea[]) AS k(collection, id)
JOIN ingot_items i ON i.collection = k.collection AND i.id = k.id AND i.checksum IS NULL
JOIN ingot_collections c ON c.id = i.collection`

const BARE_COLLECTIONS = 'SELECT name, policy FROM ingot_collections WHERE checksum IS NULL'
const FILL_COLLECTION =
  'UPDATE ingot_collections SET checksum = $3 WHERE name = $1 AND policy = $2 AND checksum IS NULL'

/** Adds the checksums. Rejects with IngotError STORE_UNAVAILABLE, or with the signal's reason. */
export async function fillChecksums({ url, signal, onProgress }: FillOptions): Promise<FillReport> {
  await using transactions = createTransactions({
    url,
    errorCode: 'STORE_UNAVAILABLE',
    connections: 1,
    timeoutMs: 60_000,
  })
  await fillCollections(transactions)
  const report = { filled: 0, damaged: 0 }
  let after: Key = { collection: 0, id: Buffer.alloc(0) }
  for (let seen = 0; ; onProgress?.(seen)) {
    signal.throwIfAborted()
    const { rows } = await transactions.once({ text: KEYS, values: [after.collection, after.id] })
    const last = rows.at(-1)
    if (last === undefined) return report
    for (const step of stepsOf(rows)) await fillStep(transactions, step, report)
    after = keyOf(last)
    seen += rows.length
  }
}

interface Key {
  readonly collection: number
  readonly id: Buffer
}

function keyOf(row: Row): Key {
  return { collection: number(row, 'collection'), id: bytes(row, 'id') }
}

async function fillCollections(transactions: Transactions): Promise<void> {
  const { rows } = await transactions.once({ text: BARE_COLLECTIONS })
  for (const row of rows) {
    const collection = { name: text(row, 'name'), policy: text(row, 'policy') }
    const values = [collection.name, collection.policy, collectionChecksum(collection)]
    await transactions.once({ text: FILL_COLLECTION, values })
  }
}

/** Returns the keys of a page that have no checksum, grouped by transaction. */
function stepsOf(rows: readonly Row[]): readonly (readonly Key[])[] {
  const steps: Key[][] = []
  let room = { items: 0, bytes: 0 }
  for (const row of rows.filter((one) => flag(one, 'bare'))) {
    if (room.items === 0 || room.bytes <= 0) {
      room = { items: STEP_ITEMS, bytes: STEP_BYTES }
      steps.push([])
    }
    room = { items: room.items - 1, bytes: room.bytes - number(row, 'size') }
    steps.at(-1)?.push(keyOf(row))
  }
  return steps
}

async function fillStep(
  transactions: Transactions,
  keys: readonly Key[],
  report: { filled: number; damaged: number },
): Promise<void> {
  const { rows } = await transactions.once({ text: ITEMS, values: arraysOf(keys) })
  const checksum = createItemChecksum()
  const sound: Key[] = []
  const sums: number[] = []
  for (const row of rows) {
    const { key, media, firstSeenMs, content } = itemOfRow(row)
    const policy = parsePolicy(JSON.parse(text(row, 'policy')))
    if (wrongId({ id: itemIdOfKey(key), media, content }, policy) !== undefined) report.damaged++
    else {
      sound.push(keyOf(row))
      sums.push(checksum({ collection: text(row, 'name'), media, firstSeenMs }, key, content))
    }
  }
  const values = [...arraysOf(sound), integerArray(sums)]
  const result = await transactions.once({ text: 'SELECT ingot_fill_1($1, $2, $3) AS filled', values })
  report.filled += number(onlyRow(result), 'filled')
}

function arraysOf(keys: readonly Key[]): readonly unknown[] {
  return [integerArray(keys.map((key) => key.collection)), byteaArray(keys.map((key) => key.id))]
}

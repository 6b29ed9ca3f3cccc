/**
 * Checks all data in a data folder, and writes nothing: the file is intact, the unique index exists, every row has its
 * checksum, every id matches its content, and no item is missing between others. Services are kept out meanwhile, so
 * that all findings belong to one state.
 *
 * It cannot detect an item that was deleted in the way of DELETE. That needs the client's record of acknowledged items.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { IdentityPolicy } from '../../../identity/policy.ts'
import { createItemChecksum } from '../../checksum.ts'
import { wrongId } from '../../item-check.ts'
import { itemIdOfKey } from '../../item-key.ts'
import { isValidReceipt, receiptChecksum } from '../../receipt.ts'
import { Findings, type VerifyOptions, type VerifyReport } from '../../verify-report.ts'
import { type CollectionRow, collectionChecksum, PLACES, policyOf, rawCollection } from './collections.ts'
import { isDetached } from './deletions.ts'
import { NEWEST_SCHEMA, schemaOf } from './migrate.ts'
import { type FoundItem, itemOfRow, prepareItems } from './rows.ts'
import { openSnapshot, type Snapshot } from './snapshot.ts'

/**
 * Checks the folder. Rejects with IngotError CONFIG_INVALID if the folder has no store, STORE_LOCKED while a service
 * uses it, or OUTPUT_UNWRITABLE if a copy is needed (see snapshot.ts) and cannot be made.
 */
export async function verifyFolder(folder: string, options: VerifyOptions): Promise<VerifyReport> {
  const findings = new Findings(options)
  let snapshot: Snapshot | undefined
  try {
    snapshot = openSnapshot(folder)
    await checkFile(snapshot.db, findings)
  } catch (failure) {
    // unreadable data is a finding; any other error is rethrown
    if (!isSqliteError(failure)) throw failure
    findings.problem(`the file cannot be read: ${failure.message}`)
  } finally {
    snapshot?.close()
  }
  return findings.report()
}

/** Returns true for errors of node:sqlite, including its error for integers beyond 2^53. */
function isSqliteError(failure: unknown): failure is Error {
  if (!(failure instanceof Error) || !('code' in failure)) return false
  return failure.code === 'ERR_SQLITE_ERROR' || failure.code === 'ERR_OUT_OF_RANGE'
}

async function checkFile(db: DatabaseSync, findings: Findings): Promise<void> {
  const { ours, version } = schemaOf(db)
  if (!ours) return findings.problem('the file was not made by ingot')
  if (version > NEWEST_SCHEMA || version < 1) {
    return findings.problem(`the data has schema ${version}, this version knows up to ${NEWEST_SCHEMA}`)
  }
  await checkPages(db, findings)
  checkUniqueIndex(db, findings)
  const check = new RowCheck(db, findings, version >= CHECKSUM_SCHEMA)
  check.readCollections()
  await check.items()
  check.repeats()
  check.gaps()
  await check.receipts()
}

/** The first schema with checksums and gaps. */
const CHECKSUM_SCHEMA = 3

async function checkPages(db: DatabaseSync, findings: Findings): Promise<void> {
  await findings.pause()
  for (const row of db.prepare('PRAGMA integrity_check').all()) {
    const said = String(row['integrity_check'])
    if (said !== 'ok') findings.problem(`SQLite: ${said}`)
  }
  await findings.pause()
}

function checkUniqueIndex(db: DatabaseSync, findings: Findings): void {
  const index = db.prepare("SELECT * FROM pragma_index_list('items') WHERE name = 'items_once'").get()
  const columns = db.prepare("SELECT name FROM pragma_index_info('items_once') ORDER BY seqno").all()
  const names = columns.map((column) => column['name']).join(', ')
  if (index?.['unique'] === 1 && index['partial'] === 0 && names === 'collection, id') return
  findings.problem('the unique index items_once is missing or wrong: nothing refuses duplicates')
}

interface KnownCollection extends CollectionRow {
  /** Absent if the stored policy is damaged. */
  readonly parsed: IdentityPolicy | undefined
  /** Number of items above `checkedFrom`. */
  checked: number
}

class RowCheck {
  readonly #db: DatabaseSync
  readonly #findings: Findings
  /** True if the schema has checksums. */
  readonly #sums: boolean
  readonly #collections = new Map<number, KnownCollection>()
  readonly #checksum = createItemChecksum()

  constructor(db: DatabaseSync, findings: Findings, sums: boolean) {
    this.#db = db
    this.#findings = findings
    this.#sums = sums
  }

  readCollections(): void {
    for (const found of this.#db.prepare('SELECT * FROM collections NOT INDEXED').all()) {
      const read = rawCollection(found)
      const row = this.#sums ? read : { ...read, checkedFrom: Number.MAX_SAFE_INTEGER }
      if (!isDetached(row.name)) this.#findings.sawCollection(row.name)
      this.#collections.set(row.id, { ...row, parsed: this.#policy(row), checked: 0 })
      if (this.#sums && collectionChecksum(row) !== found['checksum']) {
        this.#findings.problem(`the row of collection "${row.name}" does not match its checksum`)
      }
    }
  }

  #policy(row: CollectionRow): IdentityPolicy | undefined {
    try {
      return policyOf(row)
    } catch {
      this.#findings.problem(`collection "${row.name}" has no policy`)
      return undefined
    }
  }

  async items(): Promise<void> {
    const sum = this.#sums ? 'checksum' : 'NULL AS checksum'
    const rows = prepareItems(this.#db, 'FROM items NOT INDEXED ORDER BY place', sum)
    for (const found of rows.iterate()) {
      const [place, of, , , , , checksum] = found
      const collection = this.#collections.get(Number(of))
      // deleted: a purge will remove it
      if (collection !== undefined && isDetached(collection.name)) continue
      this.#findings.sawItem(collection?.name, checksum !== null)
      const wrong = this.#wrongItem(found, collection)
      const owner = collection === undefined ? '' : ` of collection "${collection.name}"`
      if (wrong !== undefined) this.#findings.problem(`the item at place ${String(place)}${owner} ${wrong}`)
      await this.#findings.pauseSometimes()
    }
  }

  /** Returns what is wrong with an item, as the end of a sentence. */
  #wrongItem(found: FoundItem, collection: KnownCollection | undefined): string | undefined {
    if (collection === undefined) return 'belongs to no collection'
    const place = Number(found[0])
    if (place <= collection.id * PLACES || place > collection.lastPlace) return 'is outside its places'
    if (place > collection.checkedFrom) collection.checked++
    const row = readRow(found)
    if (row === undefined) return 'has values of wrong types'
    const item = { id: itemIdOfKey(row.key), media: row.media, content: row.content }
    const wrong = collection.parsed && wrongId(item, collection.parsed)
    if (wrong !== undefined) return wrong
    if (row.checksum === null) return place > collection.checkedFrom ? 'has lost its checksum' : undefined
    const head = { collection: collection.name, media: row.media, firstSeenMs: row.firstSeenMs }
    return this.#checksum(head, row.key, row.content) === row.checksum ? undefined : 'does not match its checksum'
  }

  /** Reads the table without indexes, because a damaged index would hide repeats. */
  repeats(): void {
    const repeats = this.#db.prepare(
      'SELECT collection, id, count(*) AS times FROM items NOT INDEXED GROUP BY collection, id HAVING count(*) > 1',
    )
    for (const row of repeats.iterate()) {
      const name = this.#collections.get(Number(row['collection']))?.name ?? '?'
      const id = row['id'] instanceof Uint8Array ? itemIdOfKey(row['id']) : '?'
      this.#findings.problem(`collection "${name}" has item ${id} ${String(row['times'])} times`)
    }
  }

  /** Compares counts: every place has an item or is in a gap. */
  gaps(): void {
    if (!this.#sums) return
    const covered = this.#db.prepare(
      'SELECT coalesce(sum(last - max(first, ?) + 1), 0) AS places FROM gaps NOT INDEXED WHERE first <= ? AND last >= ?',
    )
    for (const { name, checkedFrom, lastPlace, checked } of this.#collections.values()) {
      if (isDetached(name)) continue
      const empty = Number(covered.get(checkedFrom + 1, lastPlace, checkedFrom + 1)?.['places'])
      const missing = lastPlace - checkedFrom - checked - empty
      if (missing > 0) this.#findings.problem(`collection "${name}" has lost ${missing} items`)
      if (missing < 0) this.#findings.problem(`collection "${name}" has ${-missing} items that are recorded as deleted`)
    }
  }

  async receipts(): Promise<void> {
    for (const row of this.#db.prepare('SELECT * FROM receipts').iterate()) {
      const checksum = row['checksum'] ?? null
      this.#findings.sawReceipt(checksum !== null)
      const [scope, key, fingerprint, body] = ['scope', 'key', 'fingerprint', 'body'].map((name) => String(row[name]))
      const receipt = { status: Number(row['status']), body: body ?? '' }
      const head = {
        scope: scope ?? '',
        key: key ?? '',
        fingerprint: fingerprint ?? '',
        expiresAtMs: Number(row['expires_ms']),
      }
      const kept = `the receipt stored under Idempotency-Key ${JSON.stringify(head.key)}`
      if (!isValidReceipt(receipt)) this.#findings.problem(`${kept} is invalid`)
      else if (checksum !== null && checksum !== receiptChecksum(head, receipt)) {
        this.#findings.problem(`${kept} does not match its checksum`)
      }
      await this.#findings.pauseSometimes()
    }
  }
}

function readRow(found: FoundItem) {
  try {
    return itemOfRow(found).row
  } catch {
    // the caller reports it
    return undefined
  }
}

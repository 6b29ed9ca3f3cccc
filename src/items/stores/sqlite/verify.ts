/**
 * Looks at everything in a data folder and writes nothing: whether the file is whole, the judge of duplicates is in its
 * place, every row has its checksum, every id is the id of its content, and no item is missing between others. Services
 * are kept out meanwhile, so that what is found is one state.
 *
 * What it cannot see: an item that was deleted as DELETE does it. That takes a record of what was acknowledged, which is
 * the client's.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { IdentityPolicy } from '../../../identity/policy.ts'
import { createItemChecksum } from '../../checksum.ts'
import { wrongId } from '../../item-check.ts'
import { itemIdOfKey } from '../../item-key.ts'
import { isAnswer, receiptChecksum } from '../../receipt.ts'
import { Findings, type VerifyOptions, type VerifyReport } from '../../verify-report.ts'
import { type CollectionRow, collectionChecksum, PLACES, policyOf, rawCollection } from './collections.ts'
import { NEWEST_SHAPE, shapeOf } from './migrate.ts'
import { type FoundItem, itemOfRow, prepareItems } from './rows.ts'
import { openSnapshot, type Snapshot } from './snapshot.ts'

/**
 * @throws IngotError CONFIG_INVALID when there is no store in the folder, STORE_LOCKED while a service has it,
 * OUTPUT_UNWRITABLE when a copy is needed (see snapshot.ts) and cannot be made
 */
export async function verifyFolder(folder: string, options: VerifyOptions): Promise<VerifyReport> {
  const findings = new Findings(options)
  let snapshot: Snapshot | undefined
  try {
    snapshot = openSnapshot(folder)
    await checkFile(snapshot.db, findings)
  } catch (failure) {
    // what SQLite cannot read is a finding; anything else is a failure of ours
    if (!isSqliteError(failure)) throw failure
    findings.problem(`the file cannot be read: ${failure.message}`)
  } finally {
    snapshot?.close()
  }
  return findings.report()
}

/** As node:sqlite marks what it throws, and what it throws for integers beyond 2^53. */
function isSqliteError(failure: unknown): failure is Error {
  if (!(failure instanceof Error) || !('code' in failure)) return false
  return failure.code === 'ERR_SQLITE_ERROR' || failure.code === 'ERR_OUT_OF_RANGE'
}

async function checkFile(db: DatabaseSync, findings: Findings): Promise<void> {
  const { ours, version } = shapeOf(db)
  if (!ours) return findings.problem('the file was not made by ingot')
  if (version > NEWEST_SHAPE || version < 1) {
    return findings.problem(`the data has shape ${version}, this version knows up to ${NEWEST_SHAPE}`)
  }
  await checkPages(db, findings)
  checkJudge(db, findings)
  const check = new RowCheck(db, findings, version >= CHECKSUM_SHAPE)
  check.readCollections()
  await check.items()
  check.repeats()
  check.gaps()
  await check.receipts()
}

/** The first shape with checksums and gaps. */
const CHECKSUM_SHAPE = 3

async function checkPages(db: DatabaseSync, findings: Findings): Promise<void> {
  await findings.pause()
  for (const row of db.prepare('PRAGMA integrity_check').all()) {
    const said = String(row['integrity_check'])
    if (said !== 'ok') findings.problem(`SQLite: ${said}`)
  }
  await findings.pause()
}

function checkJudge(db: DatabaseSync, findings: Findings): void {
  const index = db.prepare("SELECT * FROM pragma_index_list('items') WHERE name = 'items_once'").get()
  const columns = db.prepare("SELECT name FROM pragma_index_info('items_once') ORDER BY seqno").all()
  const names = columns.map((column) => column['name']).join(', ')
  if (index?.['unique'] === 1 && index['partial'] === 0 && names === 'collection, id') return
  findings.problem('the unique index items_once is missing or not what it should be: nothing keeps duplicates out')
}

interface KnownCollection extends CollectionRow {
  /** Absent when what is stored is no policy. */
  readonly parsed: IdentityPolicy | undefined
  /** Items found beyond `checkedFrom`. */
  checked: number
}

class RowCheck {
  readonly #db: DatabaseSync
  readonly #findings: Findings
  /** Whether the shape has checksums. */
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
      this.#findings.sawCollection(row.name)
      this.#collections.set(row.id, { ...row, parsed: this.#policy(row), checked: 0 })
      if (this.#sums && collectionChecksum(row) !== found['checksum']) {
        this.#findings.problem(`the row of collection "${row.name}" does not have its checksum`)
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
      this.#findings.sawItem(collection?.name, checksum !== null)
      const wrong = this.#wrongItem(found, collection)
      const owner = collection === undefined ? '' : ` of collection "${collection.name}"`
      if (wrong !== undefined) this.#findings.problem(`the item at place ${String(place)}${owner} ${wrong}`)
      await this.#findings.breathe()
    }
  }

  /** What is wrong with an item, as the end of a sentence. */
  #wrongItem(found: FoundItem, collection: KnownCollection | undefined): string | undefined {
    if (collection === undefined) return 'belongs to no collection'
    const place = Number(found[0])
    if (place <= collection.id * PLACES || place > collection.lastPlace) return 'is outside its places'
    if (place > collection.checkedFrom) collection.checked++
    const row = readRow(found)
    if (row === undefined) return 'has values of another kind than were stored'
    const item = { id: itemIdOfKey(row.key), media: row.media, content: row.content }
    const wrong = collection.parsed && wrongId(item, collection.parsed)
    if (wrong !== undefined) return wrong
    if (row.checksum === null) return place > collection.checkedFrom ? 'has lost its checksum' : undefined
    const head = { collection: collection.name, media: row.media, firstSeenMs: row.firstSeenMs }
    return this.#checksum(head, row.key, row.content) === row.checksum ? undefined : 'does not have its checksum'
  }

  /** By the table alone: an index that has lost entries would not show them. */
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

  /** Every place has an item or lies in a gap, so they add up. */
  gaps(): void {
    if (!this.#sums) return
    const covered = this.#db.prepare(
      'SELECT coalesce(sum(last - max(first, ?) + 1), 0) AS places FROM gaps NOT INDEXED WHERE first <= ? AND last >= ?',
    )
    for (const { name, checkedFrom, lastPlace, checked } of this.#collections.values()) {
      const empty = Number(covered.get(checkedFrom + 1, lastPlace, checkedFrom + 1)?.['places'])
      const missing = lastPlace - checkedFrom - checked - empty
      if (missing > 0) this.#findings.problem(`collection "${name}" has lost ${missing} items`)
      if (missing < 0) this.#findings.problem(`collection "${name}" has ${-missing} items that are noted as deleted`)
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
      const kept = `the answer kept under Idempotency-Key ${JSON.stringify(head.key)}`
      if (!isAnswer(receipt)) this.#findings.problem(`${kept} is none`)
      else if (checksum !== null && checksum !== receiptChecksum(head, receipt)) {
        this.#findings.problem(`${kept} does not have its checksum`)
      }
      await this.#findings.breathe()
    }
  }
}

function readRow(found: FoundItem) {
  try {
    return itemOfRow(found).row
  } catch {
    // the finding says as much
    return undefined
  }
}

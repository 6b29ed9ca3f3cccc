/**
 * Checks all data of ingot in a Postgres database, in READ ONLY transactions: the unique index exists, every row has
 * its checksum, and every id matches its content. Services may continue meanwhile. Rows are read in the order of their
 * keys, page by page, in short transactions. Rows stored behind the current position are not checked.
 *
 * It cannot detect items on a page that the server takes for an empty one. Use `pg_amcheck` for that.
 */
import type { IdentityPolicy } from '../../../identity/policy.ts'
import { COMMIT, createTransactions, type Statement, type Transactions } from '../../../postgres/transactions.ts'
import { createItemChecksum } from '../../checksum.ts'
import { wrongId } from '../../item-check.ts'
import { ITEM_KEY_BYTES, itemIdOfKey } from '../../item-key.ts'
import { isValidReceipt, receiptChecksum } from '../../receipt.ts'
import { Findings, type VerifyOptions, type VerifyReport } from '../../verify-report.ts'
import { reportDamage } from './failure.ts'
import { bytes, itemOfRow, number, optionalNumber, policyOfRow, type Row, text } from './rows.ts'

export interface VerifyPostgresOptions extends VerifyOptions {
  /** As in `migrate`. */
  readonly url: string
}

/** Rows per page. */
const PAGE_ROWS = 200

const READ_ONLY: Statement = { text: 'SET TRANSACTION READ ONLY' }

const UNIQUE_INDEX = `SELECT count(*) AS n FROM pg_index
WHERE indrelid = 'ingot_items'::regclass AND indisprimary AND indisunique AND indisvalid`

const COLLECTIONS = 'SELECT id, name, policy, checksum FROM ingot_collections ORDER BY id'

const DETACHED = 'SELECT count(*) AS n FROM ingot_deletions WHERE collection = $1'

const ITEMS = `SELECT collection, id, media, first_seen_ms, content, checksum FROM ingot_items
WHERE (collection, id) > ($1, $2) ORDER BY collection, id LIMIT ${PAGE_ROWS}`

const RECEIPTS = `SELECT scope, key, fingerprint, status, body, expires_ms, checksum FROM ingot_receipts
WHERE (scope, key) > ($1, $2) AND status IS NOT NULL ORDER BY scope, key LIMIT ${PAGE_ROWS}`

/**
 * Checks the database. Rejects with IngotError STORE_UNAVAILABLE if it cannot be reached, or does not have the schema
 * of this version.
 */
export async function verifyPostgres({ url, ...options }: VerifyPostgresOptions): Promise<VerifyReport> {
  await using transactions = createTransactions({
    url,
    errorCode: 'STORE_UNAVAILABLE',
    connections: 1,
    timeoutMs: 60_000,
  })
  const findings = new Findings(options)
  await findings.attempt(() => new DatabaseCheck(transactions, findings).run())
  return findings.report()
}

interface KnownCollection {
  readonly name: string
  /** Absent if the stored policy is damaged. */
  readonly policy: IdentityPolicy | undefined
}

class DatabaseCheck {
  readonly #transactions: Transactions
  readonly #findings: Findings
  readonly #collections = new Map<number, KnownCollection>()
  /** Numbers without a collection, and whether a deletion has the number. */
  readonly #detached = new Map<number, boolean>()
  readonly #checksum = createItemChecksum()

  constructor(transactions: Transactions, findings: Findings) {
    this.#transactions = transactions
    this.#findings = findings
  }

  async run(): Promise<void> {
    const [judge] = await this.#read(UNIQUE_INDEX, [])
    if (judge === undefined || number(judge, 'n') !== 1) {
      this.#findings.problem('the primary key of ingot_items is missing or invalid: nothing refuses duplicates')
    }
    for (const row of await this.#read(COLLECTIONS, [])) await this.#collection(row)
    await this.#items()
    await this.#receipts()
  }

  async #collection(row: Row): Promise<void> {
    const name = text(row, 'name')
    this.#findings.sawCollection(name)
    const policy = await this.#findings.attempt(() => policyOfRow(name, row))
    this.#collections.set(number(row, 'id'), { name, policy })
  }

  async #items(): Promise<void> {
    let after: readonly unknown[] = [0, Buffer.alloc(0)]
    let last = ''
    for (;;) {
      const rows = await this.#read(ITEMS, after)
      for (const row of rows) last = await this.#item(row, last)
      const end = rows.at(-1)
      if (end === undefined) return
      after = [number(end, 'collection'), bytes(end, 'id')]
      await this.#findings.pause()
    }
  }

  /** Checks one item. Returns its identity, to compare with the next one. */
  async #item(row: Row, last: string): Promise<string> {
    const id = bytes(row, 'id')
    const collection = this.#collections.get(number(row, 'collection')) ?? (await this.#newCollection(row))
    // deleted: a purge will remove it
    if (collection === undefined && (await this.#isDetached(number(row, 'collection')))) return last
    const itself = `${number(row, 'collection')} ${id.toString('hex')}`
    this.#findings.sawItem(collection?.name, row['checksum'] !== null)
    const wrong = itself === last ? 'is stored twice' : this.#wrongItem(row, collection)
    const shown = id.length === ITEM_KEY_BYTES ? itemIdOfKey(id) : id.toString('hex')
    const of = collection === undefined ? '' : ` of collection "${collection.name}"`
    if (wrong !== undefined) this.#findings.problem(`item ${shown}${of} ${wrong}`)
    return itself
  }

  /** Returns true if the items of the collection with this number were deleted. */
  async #isDetached(collection: number): Promise<boolean> {
    const known = this.#detached.get(collection)
    if (known !== undefined) return known
    const [row] = await this.#read(DETACHED, [collection])
    const detached = row !== undefined && number(row, 'n') > 0
    this.#detached.set(collection, detached)
    return detached
  }

  /** Returns a collection that was created after the collections were read. */
  async #newCollection(row: Row): Promise<KnownCollection | undefined> {
    const id = number(row, 'collection')
    if (this.#detached.get(id) === true) return undefined
    for (const found of await this.#read(COLLECTIONS, [])) {
      if (number(found, 'id') === id) await this.#collection(found)
    }
    return this.#collections.get(id)
  }

  /** Returns what is wrong with an item, as the end of a sentence. */
  #wrongItem(row: Row, collection: KnownCollection | undefined): string | undefined {
    if (collection === undefined) return 'belongs to no collection'
    const { key, media, firstSeenMs, content, checksum } = itemOfRow(row)
    if (key.length !== ITEM_KEY_BYTES) return 'has an invalid id'
    const wrong = collection.policy && wrongId({ id: itemIdOfKey(key), media, content }, collection.policy)
    if (wrong !== undefined || checksum === null) return wrong
    const head = { collection: collection.name, media, firstSeenMs }
    return this.#checksum(head, key, content) === checksum ? undefined : 'does not match its checksum'
  }

  async #receipts(): Promise<void> {
    let after: readonly unknown[] = ['', '']
    for (;;) {
      const rows = await this.#read(RECEIPTS, after)
      for (const row of rows) this.#receipt(row)
      const end = rows.at(-1)
      if (end === undefined) return
      after = [text(end, 'scope'), text(end, 'key')]
      await this.#findings.pause()
    }
  }

  #receipt(row: Row): void {
    const checksum = optionalNumber(row, 'checksum')
    this.#findings.sawReceipt(checksum !== null)
    const receipt = { status: number(row, 'status'), body: text(row, 'body') }
    const head = {
      scope: text(row, 'scope'),
      key: text(row, 'key'),
      fingerprint: text(row, 'fingerprint'),
      expiresAtMs: number(row, 'expires_ms'),
    }
    const kept = `the receipt stored under Idempotency-Key ${JSON.stringify(head.key)}`
    if (!isValidReceipt(receipt)) this.#findings.problem(`${kept} is invalid`)
    else if (checksum !== null && checksum !== receiptChecksum(head, receipt)) {
      this.#findings.problem(`${kept} does not match its checksum`)
    }
  }

  #read(query: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return reportDamage(
      this.#transactions.session(async (exchange) => {
        const { begin } = this.#transactions
        const [, , result] = await exchange([begin, READ_ONLY, { text: query, values }, COMMIT])
        return result?.rows ?? []
      }),
    )
  }
}

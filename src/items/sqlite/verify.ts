/**
 * Looks at everything in a data folder and changes nothing: whether the file is whole, the judge of duplicates is in
 * its place, and every id is the id of its content. The folder is locked meanwhile, so that what is found is one state.
 *
 * What it cannot see: an item that was deleted from the file and from its index alike. That takes a record of what
 * was acknowledged, which is the client's.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { MAX_DEPTH } from '../../identity/json.ts'
import { type IdentityPolicy, parsePolicy } from '../../identity/policy.ts'
import type { Clock } from '../../std/clock.ts'
import { Fault } from '../../std/fault.ts'
import { ITEM_KEY_BYTES, itemIdOfKey } from '../item-key.ts'
import { prepare } from '../prepare.ts'
import { DATABASE_FILE, openForReading } from './database.ts'
import { lockFolder } from './folder-lock.ts'
import { PLACES } from './reader.ts'
import { NEWEST_SHAPE, shapeOf } from './schema.ts'

export interface VerifyReport {
  /** Items by name of their collection. */
  readonly collections: ReadonlyMap<string, number>
  readonly receipts: number
  readonly problemCount: number
  /** The first ones, as sentences. */
  readonly problems: readonly string[]
}

export interface VerifyOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress?: (checkedItems: number) => void
}

/** Problems that are kept as sentences. */
const SHOWN_PROBLEMS = 20

/** Rows between two looks at the signal. */
const ROWS_AT_ONCE = 1_000

/** @throws Fault CONFIG_INVALID when there is no store in the folder, STORE_LOCKED while a service has it */
export async function verifyFolder(folder: string, options: VerifyOptions): Promise<VerifyReport> {
  if (!existsSync(join(folder, DATABASE_FILE))) {
    throw new Fault('CONFIG_INVALID', `there is no ${DATABASE_FILE} in "${folder}": name the data folder of a service`)
  }
  const lock = lockFolder(folder)
  const check = new FolderCheck(options)
  try {
    await check.run(folder)
  } finally {
    lock.release()
  }
  return check.report()
}

interface CollectionRow {
  readonly id: number
  readonly name: string
  readonly lastPlace: number
  /** Absent when what is stored is no policy. */
  readonly policy: IdentityPolicy | undefined
}

class FolderCheck {
  readonly #options: VerifyOptions
  readonly #collections = new Map<string, number>()
  readonly #problems: string[] = []
  #problemCount = 0
  #receipts = 0
  #checkedItems = 0

  constructor(options: VerifyOptions) {
    this.#options = options
  }

  report(): VerifyReport {
    return {
      collections: this.#collections,
      receipts: this.#receipts,
      problemCount: this.#problemCount,
      problems: this.#problems,
    }
  }

  async run(folder: string): Promise<void> {
    let db: DatabaseSync | undefined
    try {
      db = openForReading(folder)
      await this.#checkFile(db)
    } catch (failure) {
      // what SQLite cannot read is a finding; anything else is a failure of ours
      if (!isSqliteError(failure)) throw failure
      this.#found(`the file cannot be read: ${failure.message}`)
    } finally {
      db?.close()
    }
  }

  async #checkFile(db: DatabaseSync): Promise<void> {
    if (!this.#checkShape(db)) return
    await this.#checkPages(db)
    this.#checkJudge(db)
    const collections = this.#readCollections(db)
    await this.#checkItems(db, collections)
    this.#checkRepeats(db, collections)
    await this.#checkReceipts(db)
  }

  #checkShape(db: DatabaseSync): boolean {
    const { ours, version } = shapeOf(db)
    if (!ours) this.#found('the file was not made by ingot')
    else if (version !== NEWEST_SHAPE) this.#found(`the data has shape ${version}, this version knows ${NEWEST_SHAPE}`)
    return ours && version === NEWEST_SHAPE
  }

  async #checkPages(db: DatabaseSync): Promise<void> {
    await this.#pause()
    for (const row of db.prepare('PRAGMA integrity_check').all()) {
      const said = String(row['integrity_check'])
      if (said !== 'ok') this.#found(`SQLite: ${said}`)
    }
    await this.#pause()
  }

  #checkJudge(db: DatabaseSync): void {
    const index = db.prepare("SELECT * FROM pragma_index_list('items') WHERE name = 'items_once'").get()
    const columns = db.prepare("SELECT name FROM pragma_index_info('items_once') ORDER BY seqno").all()
    const names = columns.map((column) => column['name']).join(', ')
    const whole = index?.['unique'] === 1 && index['partial'] === 0 && names === 'collection, id'
    if (!whole)
      this.#found('the unique index items_once is missing or not what it should be: nothing keeps duplicates out')
  }

  #readCollections(db: DatabaseSync): ReadonlyMap<number, CollectionRow> {
    const rows = db.prepare('SELECT id, name, policy, last_place FROM collections').all()
    const read = rows.map((row): [number, CollectionRow] => {
      const name = String(row['name'])
      this.#collections.set(name, 0)
      const policy = this.#readPolicy(name, String(row['policy']))
      return [Number(row['id']), { id: Number(row['id']), name, policy, lastPlace: Number(row['last_place']) }]
    })
    return new Map(read)
  }

  #readPolicy(name: string, text: string): IdentityPolicy | undefined {
    try {
      return parsePolicy(JSON.parse(text))
    } catch (failure) {
      this.#found(`collection "${name}" has no policy: ${failure instanceof Error ? failure.message : String(failure)}`)
      return undefined
    }
  }

  async #checkItems(db: DatabaseSync, collections: ReadonlyMap<number, CollectionRow>): Promise<void> {
    const rows = db.prepare('SELECT place, collection, id, media, content FROM items NOT INDEXED ORDER BY place')
    for (const row of rows.iterate()) {
      this.#checkItem(row, collections.get(Number(row['collection'])))
      this.#checkedItems++
      if (this.#checkedItems % ROWS_AT_ONCE === 0) await this.#pause()
    }
  }

  #checkItem(row: Record<string, unknown>, collection: CollectionRow | undefined): void {
    const place = Number(row['place'])
    if (collection === undefined) return this.#found(`the item at place ${place} belongs to no collection`)
    this.#collections.set(collection.name, (this.#collections.get(collection.name) ?? 0) + 1)
    if (place <= collection.id * PLACES || place > collection.lastPlace) {
      this.#found(`the item at place ${place} of collection "${collection.name}" is outside its places`)
    }
    if (collection.policy === undefined) return
    const wrong = wrongId(row, collection.policy)
    if (wrong !== undefined) this.#found(`the item at place ${place} of collection "${collection.name}" ${wrong}`)
  }

  /** By the table alone: an index that has lost entries would not show them. */
  #checkRepeats(db: DatabaseSync, collections: ReadonlyMap<number, CollectionRow>): void {
    const repeats = db.prepare(
      'SELECT collection, id, count(*) AS times FROM items NOT INDEXED GROUP BY collection, id HAVING count(*) > 1',
    )
    for (const row of repeats.iterate()) {
      const name = collections.get(Number(row['collection']))?.name ?? '?'
      const id = row['id'] instanceof Uint8Array ? itemIdOfKey(row['id']) : '?'
      this.#found(`collection "${name}" has item ${id} ${String(row['times'])} times`)
    }
  }

  async #checkReceipts(db: DatabaseSync): Promise<void> {
    for (const row of db.prepare('SELECT key, status, body FROM receipts').iterate()) {
      this.#receipts++
      if (!isAnswer(Number(row['status']), String(row['body']))) {
        this.#found(`the answer kept under Idempotency-Key ${JSON.stringify(row['key'])} is none`)
      }
      if (this.#receipts % ROWS_AT_ONCE === 0) await this.#pause()
    }
  }

  #found(problem: string): void {
    this.#problemCount++
    if (this.#problems.length < SHOWN_PROBLEMS) this.#problems.push(problem)
  }

  /** Lets signals in and says how far we are. */
  async #pause(): Promise<void> {
    this.#options.onProgress?.(this.#checkedItems)
    await this.#options.clock.sleep(0, this.#options.signal)
  }
}

/** As node:sqlite marks what it throws. */
function isSqliteError(failure: unknown): failure is Error {
  return failure instanceof Error && 'code' in failure && failure.code === 'ERR_SQLITE_ERROR'
}

/** What is wrong with a row's id, if anything. */
function wrongId(row: Record<string, unknown>, policy: IdentityPolicy): string | undefined {
  const { id, content, media } = row
  if (!(id instanceof Uint8Array) || id.length !== ITEM_KEY_BYTES) return 'has an id that is none'
  if (!(content instanceof Uint8Array)) return 'has no content'
  const stored = itemIdOfKey(id)
  const prepared = prepare(policy, { media: mediaOf(media), content }, { maxDepth: MAX_DEPTH })
  if ('refused' in prepared) return `has id ${stored}, but its content is refused: ${prepared.refused.message}`
  return prepared.id === stored ? undefined : `has id ${stored}, but its content makes ${prepared.id}`
}

function mediaOf(media: unknown): string {
  return typeof media === 'string' ? media : 'application/json'
}

function isAnswer(status: number, body: string): boolean {
  try {
    return (status === 200 || status === 201) && typeof JSON.parse(body) === 'object'
  } catch {
    // what cannot be parsed is no answer
    return false
  }
}

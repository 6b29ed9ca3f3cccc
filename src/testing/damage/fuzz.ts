/** Damages the file of an embedded store, and checks the data that the store then serves. */
import { closeSync, cpSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { StoredItem } from '../../items/item.ts'
import { itemKey } from '../../items/item-key.ts'
import type { ItemStore } from '../../items/store.ts'
import { checkCollections } from '../../items/stores/sqlite/collections.ts'
import { DATABASE_FILE, openForReading } from '../../items/stores/sqlite/database.ts'
import { errorCodeOf } from '../../items/stores/sqlite/failure.ts'
import { createReader, type Reader } from '../../items/stores/sqlite/reader.ts'
import { verifyFolder } from '../../items/stores/sqlite/verify.ts'
import { systemClock } from '../../std/clock.ts'
import { createRandom, type Random } from '../../std/random.ts'

/** Items of the collections, in the order of their creation. */
export type Truth = ReadonlyMap<string, readonly StoredItem[]>

export interface Damage {
  /** Undamaged data folder. It is copied to `folder`, which is removed afterwards. */
  readonly template: string
  readonly folder: string
  /** Contents of `template`. */
  readonly truth: Truth
  /** Damages a folder. */
  readonly strike: (folder: string) => void
}

export interface DamageResult {
  /** Number of collections that were listed completely and correctly. */
  listed: number
  /** Number of calls that were refused with STORE_CORRUPT, including the opening of the store. */
  refused: number
  /** Number of items that were not found by their id: damage to an index may hide one. */
  hidden: number
  /** Findings of `verify`. */
  problems: number
  /** Data that was served but never stored, and errors other than STORE_CORRUPT. */
  readonly wrong: string[]
}

export async function readTruth(store: ItemStore, names: readonly string[]): Promise<Truth> {
  const truth = new Map<string, readonly StoredItem[]>()
  for (const name of names) truth.set(name, await drain(store, name))
  return truth
}

async function drain(store: ItemStore, name: string): Promise<readonly StoredItem[]> {
  const items: StoredItem[] = []
  let after: string | undefined
  do {
    const page = await store.list(name, after === undefined ? { limit: 100 } : { limit: 100, after })
    items.push(...page.items)
    after = page.next
  } while (after !== undefined)
  return items
}

/** Damages a copy, reads it with `verify` and the store, and compares the results with the original data. */
export async function runDamage({ template, folder, truth, strike }: Damage): Promise<DamageResult> {
  cpSync(template, folder, { recursive: true })
  strike(folder)
  const result: DamageResult = { listed: 0, refused: 0, hidden: 0, problems: 0, wrong: [] }
  const limits = { clock: systemClock, signal: AbortSignal.timeout(60_000) }
  result.problems = (await verifyFolder(folder, limits)).problemCount
  const opened = attempt(result, () => openReader(folder))
  if (opened !== undefined) {
    for (const [name, items] of truth) compare(opened.reader, name, items, result)
    opened.close()
  }
  rmSync(folder, { recursive: true, force: true })
  return result
}

const PAGE_BYTES = 4_096

/** Flips bits, overwrites sequences of bytes, or zeroes pages. */
export function damageAtRandom(folder: string, seed: number): void {
  const random = createRandom(seed)
  const file = join(folder, DATABASE_FILE)
  const size = statSync(file).size
  const handle = openSync(file, 'r+')
  const kind = random.pick(['bits', 'bits', 'runs', 'pages'])
  const times = kind === 'pages' ? random.between(1, 2) : random.between(1, 60)
  for (let n = 0; n < times; n++) {
    const length = { bits: 1, runs: random.between(1, 16), pages: PAGE_BYTES }[kind] ?? 1
    const at = Math.min(random.between(0, size - 1), size - length)
    const from = kind === 'pages' ? at - (at % PAGE_BYTES) : at
    const bytes = Buffer.alloc(length)
    readSync(handle, bytes, 0, length, from)
    writeSync(
      handle,
      bytes.map((byte) => damagedByte(kind, byte, random)),
      0,
      length,
      from,
    )
  }
  closeSync(handle)
}

function damagedByte(kind: string, byte: number, random: Random): number {
  if (kind === 'pages') return 0
  return kind === 'runs' ? random.between(0, 255) : byte ^ (1 << random.between(0, 7))
}

/** Opens the file in this thread, in the same way as the threads of a store. */
function openReader(folder: string): { readonly reader: Reader; close(): void } {
  const db = openForReading(folder)
  checkCollections(db)
  return { reader: createReader(db), close: () => db.close() }
}

function attempt<T>(result: DamageResult, work: () => T): T | undefined {
  try {
    return work()
  } catch (failure) {
    result.refused++
    if (errorCodeOf(failure) !== 'STORE_CORRUPT') result.wrong.push(String(failure))
    return undefined
  }
}

function compare(reader: Reader, name: string, items: readonly StoredItem[], result: DamageResult): void {
  const listed = attempt(result, () => drainReader(reader, name))
  if (listed !== undefined) {
    result.listed++
    if (textOf(listed) !== textOf(items))
      result.wrong.push(`${name} lists ${listed.length} of ${items.length}, or others`)
  }
  for (const item of items) {
    const got = attempt(result, () => ({ item: reader.get(name, itemKey(item.id)) }))
    if (got === undefined) continue
    if (got.item === undefined) result.hidden++
    else if (textOf([got.item]) !== textOf([item])) result.wrong.push(`${name} serves another item as ${item.id}`)
  }
}

function drainReader(reader: Reader, name: string): readonly StoredItem[] {
  const items: StoredItem[] = []
  let after = 0
  for (;;) {
    const page = reader.list(name, after, 100)
    items.push(...page.items.map((placed) => placed.item))
    after = page.items.at(-1)?.place ?? after
    if (!page.more) return items
  }
}

function textOf(items: readonly StoredItem[]): string {
  return items
    .map((item) => `${item.id} ${item.media} ${item.firstSeenMs} ${Buffer.from(item.content).toString('hex')}`)
    .join('\n')
}

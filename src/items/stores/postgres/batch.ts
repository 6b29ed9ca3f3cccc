/**
 * Encodes units as arguments of the put function, and decodes its result into outcomes of units. Equal items of one
 * collection become one row. The first of them, in the order of units, is created. The others are duplicates of it.
 */

import { IngotError } from '../../../errors/error.ts'
import { policyText } from '../../../identity/policy.ts'
import { BYTEA, byteaArray, fixedArray, fixedElement, integerArray, textArray } from '../../../postgres/binary-array.ts'
import { createItemChecksum } from '../../checksum.ts'
import type { ItemOutcome, PreparedItem } from '../../item.ts'
import { ITEM_KEY_BYTES, writeItemKey } from '../../item-key.ts'
import type { Unit, UnitOutcome } from '../../store.ts'
import { collectionChecksum } from './rows.ts'

/** The server packs the position in the batch into 20 bits of an item's place. */
export const MAX_ROWS = 2 ** 20 - 1

export interface Batch {
  readonly rowCount: number
  /** Returns the arguments of the lookup function. */
  lookupValues(): readonly unknown[]
  /**
   * Returns the arguments of the put function for these rows, which are created at `nowMs`. Functions of older versions
   * take the first seven.
   */
  putValues(rows: readonly number[], nowMs: number): readonly unknown[]
  /** True if every target has at least one row. */
  readonly hasRowsForAllTargets: boolean
  /** Returns one outcome per unit. */
  outcomes(result: PutResult, nowMs: number): readonly UnitOutcome[]
}

export interface PutResult {
  /** Whether each target's policy was accepted. `undefined`: all were. */
  readonly accepted: readonly boolean[] | undefined
  /** The rows that were stored before. */
  readonly known: KnownRows
}

/** A collection with the policy under which ids were computed, and the rows of its items by id. */
interface Target {
  readonly index: number
  readonly name: string
  readonly policy: string
  readonly rows: Map<string, number>
}

/** The rows of a unit's items. */
interface UnitRows {
  readonly target: Target
  /**
   * The row of each item, or the complement (`~row`) if an earlier unit has the same item. A flat array, because there
   * are many.
   */
  readonly rows: Int32Array
}

/** Throws IngotError CONTENT_TOO_LARGE for more than MAX_ROWS distinct items. */
export function createBatch(units: readonly Unit[]): Batch {
  const rows = new BatchRows()
  const unitRows = units.map((unit) => rows.add(unit))
  return {
    rowCount: rows.count,
    hasRowsForAllTargets: rows.hasRowsOfAll(),
    lookupValues: () => rows.lookValues(),
    putValues: (of, nowMs) => rows.putValues(of, nowMs),
    outcomes: (result, nowMs) => unitRows.map((unit) => unitOutcome(unit, result, nowMs)),
  }
}

class BatchRows {
  readonly #targets = new Map<string, Target>()
  readonly #rowTargets: number[] = []
  readonly #items: PreparedItem[] = []

  get count(): number {
    return this.#items.length
  }

  add(unit: Unit): UnitRows {
    const target = this.#target(unit)
    const rows = new Int32Array(unit.items.length)
    for (const [at, item] of unit.items.entries()) rows[at] = this.#addItem(target, item)
    return { target, rows }
  }

  hasRowsOfAll(): boolean {
    return [...this.#targets.values()].every((target) => target.rows.size > 0)
  }

  lookValues(): readonly unknown[] {
    return [...this.#targetValues(), integerArray(this.#rowTargets), keyArray(this.#items)]
  }

  putValues(rows: readonly number[], nowMs: number): readonly unknown[] {
    const items = rows.length === this.count ? this.#items : rows.flatMap((row) => this.#items[row] ?? [])
    const itemTargets = rows.map((row) => this.#rowTargets[row] ?? 0)
    const keys = keyArray(items)
    const plain = items.every((item) => item.media === JSON_MEDIA)
    return [
      ...this.#targetValues(),
      integerArray(itemTargets),
      keys,
      plain ? null : textArray(items.map((item) => (item.media === JSON_MEDIA ? null : item.media))),
      byteaArray(items.map((item) => item.content)),
      nowMs,
      integerArray([...this.#targets.values()].map(collectionChecksum)),
      integerArray(this.#checksums({ items, itemTargets, keys }, nowMs)),
    ]
  }

  #checksums({ items, itemTargets, keys }: PutItems, nowMs: number): readonly number[] {
    const names = Array.from(this.#targets.values(), (target) => target.name)
    const checksum = createItemChecksum()
    return items.map(({ media, content }, index) => {
      const collection = names[(itemTargets[index] ?? 0) - 1] ?? ''
      return checksum({ collection, media, firstSeenMs: nowMs }, fixedElement(keys, KEYS, index), content)
    })
  }

  #targetValues(): readonly unknown[] {
    const targets = [...this.#targets.values()]
    return [textArray(targets.map((target) => target.name)), textArray(targets.map((target) => target.policy))]
  }

  #target({ collection }: Unit): Target {
    const policy = policyText(collection.policy)
    const key = `${collection.name} ${policy}`
    const known = this.#targets.get(key)
    if (known !== undefined) return known
    const made = { index: this.#targets.size, name: collection.name, policy, rows: new Map<string, number>() }
    this.#targets.set(key, made)
    return made
  }

  #addItem(target: Target, item: PreparedItem): number {
    const known = target.rows.get(item.id)
    if (known !== undefined) return ~known
    if (this.count === MAX_ROWS)
      throw new IngotError('CONTENT_TOO_LARGE', `more than ${MAX_ROWS} items in one transaction`)
    const row = this.#items.push(item) - 1
    this.#rowTargets.push(target.index + 1)
    target.rows.set(item.id, row)
    return row
  }
}

/** The items to send, the target of each (from 1), and the array of their keys. */
interface PutItems {
  readonly items: readonly PreparedItem[]
  readonly itemTargets: readonly number[]
  readonly keys: Buffer
}

const KEYS = { type: BYTEA, bytes: ITEM_KEY_BYTES }

function keyArray(items: readonly PreparedItem[]): Buffer {
  return fixedArray({ ...KEYS, count: items.length }, (into, index, offset) => {
    const item = items[index]
    if (item !== undefined) writeItemKey(item.id, into, offset)
  })
}

const JSON_MEDIA = 'application/json'

function unitOutcome({ target, rows }: UnitRows, { accepted, known }: PutResult, nowMs: number): UnitOutcome {
  if (accepted?.[target.index] === false) return { kind: 'policy-changed' }
  // one object for all created items, because they are equal
  const created: ItemOutcome = { kind: 'created', firstSeenMs: nowMs }
  const outcomes: ItemOutcome[] = []
  // adjacent duplicates were often saved together, so they share an object as well
  let duplicate: ItemOutcome | undefined
  for (const row of rows) {
    const since = known.since(row < 0 ? ~row : row)
    if (since === undefined && row >= 0) outcomes.push(created)
    else outcomes.push((duplicate = duplicateSince(since ?? nowMs, duplicate)))
  }
  return { kind: 'stored', outcomes }
}

function duplicateSince(firstSeenMs: number, last: ItemOutcome | undefined): ItemOutcome {
  return last?.firstSeenMs === firstSeenMs ? last : { kind: 'duplicate', firstSeenMs, foundBy: 'store' }
}

export interface KnownRows {
  /** Number of known rows. */
  readonly count: number
  /**
   * Returns the first-seen time of a row, in milliseconds. Rows count from 0. Returns `undefined` if the row is not
   * known.
   */
  since(row: number): number | undefined
  add(row: number, firstSeenMs: number): void
  /** Returns the rows that are not known, in order. */
  unknown(): readonly number[]
}

export function createKnownRows(rows: number): KnownRows {
  return new FlatRows(rows)
}

class FlatRows implements KnownRows {
  /** First-seen times. NaN: not known. */
  readonly #since: Float64Array
  #count = 0

  constructor(rows: number) {
    this.#since = new Float64Array(rows).fill(Number.NaN)
  }

  get count(): number {
    return this.#count
  }

  since(row: number): number | undefined {
    const since = this.#since[row]
    return since === undefined || Number.isNaN(since) ? undefined : since
  }

  add(row: number, firstSeenMs: number): void {
    if (Number.isNaN(this.#since[row] ?? 0)) this.#count++
    this.#since[row] = firstSeenMs
  }

  unknown(): readonly number[] {
    const rows: number[] = []
    for (let row = 0; row < this.#since.length; row++) if (this.since(row) === undefined) rows.push(row)
    return rows
  }
}

/**
 * The places of deleted items, as ranges. Places are assigned consecutively. A place without an item that is in no gap
 * therefore belongs to a lost item, and a page of the file is damaged. Adjacent gaps are merged.
 */
import type { DatabaseSync } from 'node:sqlite'

export interface Gaps {
  /** Records that the places from `first` to `last` have no items. None of them may be in a gap already. */
  add(first: number, last: number): void
}

export function createGaps(db: DatabaseSync): Gaps {
  const before = db.prepare(
    'SELECT first FROM gaps WHERE last = ? AND first = (SELECT max(first) FROM gaps WHERE first <= ?)',
  )
  const behind = db.prepare('DELETE FROM gaps WHERE first = ? RETURNING last')
  const extend = db.prepare('UPDATE gaps SET last = ? WHERE first = ?')
  const insert = db.prepare('INSERT INTO gaps (first, last) VALUES (?, ?)')
  return {
    add(first, last) {
      const end = Number(behind.get(last + 1)?.['last'] ?? last)
      const start = before.get(first - 1, first - 1)?.['first']
      if (start === undefined) insert.run(first, end)
      else extend.run(end, start)
    },
  }
}

/** Returns a function that returns true if all places from `first` to `last` are in gaps. */
export function createGapLookup(db: DatabaseSync): (first: number, last: number) => boolean {
  const find = db.prepare('SELECT last FROM gaps WHERE first <= ? ORDER BY first DESC LIMIT 1')
  // gaps are merged, so consecutive places are in one gap
  return (first, last) => first > last || Number(find.get(first)?.['last'] ?? -1) >= last
}

/** Builds histories for the tests of checkers. Each call adds an event or an operation, one millisecond later. */
import type { FinalStore, StoredRow } from '../drill/checkers/final-store.ts'
import type { Entry, Event } from '../drill/history.ts'

export interface HistoryBuilder {
  readonly events: readonly Event[]
  add(entry: Omit<Entry, 'process'>): void
  /** Starts a save. The returned function ends it. */
  beginSave(key: string, more?: Partial<Entry>): (end: Pick<Entry, 'type'> & Partial<Entry>) => void
  /** Adds a complete save. Default id: `id-<key>`; default bytes: `bytes-<key>`. */
  save(key: string, result: 'created' | 'duplicate' | 'info' | 'fail', more?: Partial<Entry>): void
  remove(key: string, result: 'deleted' | 'absent' | 'info'): void
  fault(key: string, more?: Partial<Entry>): void
  /** Adds an event of the recorder about the run itself. */
  phase(key: string, value?: string): void
  write(version: number, fence: number, outcome: 'ok' | 'fail' | 'info'): void
  hold(fence: number, from: number, until: number): void
}

export function createHistoryBuilder(): HistoryBuilder {
  const events: Event[] = []
  let ops = 0
  const add: HistoryBuilder['add'] = (entry) => {
    const seq = events.length + 1
    events.push({ process: 'p', tMono: seq, tWall: seq, ...entry, seq })
  }
  const beginSave: HistoryBuilder['beginSave'] = (key, more = {}) => {
    const op = `o${++ops}`
    add({ op, f: 'save', type: 'invoke', key, collection: 'c', bytes: `bytes-${key}`, ...more })
    return (end) => add({ op, f: 'save', key, ...end })
  }
  const completed = (
    op: string,
    first: Omit<Entry, 'process' | 'op' | 'type'>,
    last: Partial<Entry> & { type: Event['type'] },
  ) => {
    add({ ...first, op, type: 'invoke' })
    add({ ...first, op, ...last })
  }
  return {
    events,
    add,
    beginSave,
    save(key, result, more = {}) {
      const answered = result === 'created' || result === 'duplicate'
      beginSave(key, more)(answered ? { type: 'ok', result, id: `id-${key}`, ...more } : { type: result })
    },
    remove(key, result) {
      const last = result === 'info' ? { type: result } : { type: 'ok' as const, result }
      completed(`o${++ops}`, { f: 'delete', key, collection: 'c' }, last)
    },
    fault: (key, more = {}) =>
      completed(`o${++ops}`, { f: 'fault', key, ...more }, { type: 'ok', proof: 'seen', ...more }),
    phase: (key, value) =>
      add({ op: `o${++ops}`, f: 'phase', type: 'info', key, ...(value === undefined ? {} : { value }) }),
    write: (version, fence, type) =>
      completed(`o${++ops}`, { f: 'write', key: 'r', value: `${version}`, fence: `${fence}` }, { type }),
    hold(fence, from, until) {
      const op = `o${++ops}`
      completed(op, { f: 'acquire', key: 'r', fence: `${fence}`, tMono: from }, { type: 'ok' })
      add({ op, f: 'release', type: 'info', key: 'r', untilMono: until })
    },
  }
}

/** Returns the events of a history. */
export function historyOf(tell: (story: HistoryBuilder) => void): readonly Event[] {
  const story = createHistoryBuilder()
  tell(story)
  return story.events
}

/** Returns the items of a store that saved each of these contents once. */
export function rowsOf(...keys: readonly string[]): StoredRow[] {
  return keys.map((key) => ({ collection: 'c', id: `id-${key}`, bytes: `bytes-${key}` }))
}

export function holding(...keys: readonly string[]): FinalStore {
  return { rows: rowsOf(...keys) }
}

/** A service with its load in memory, as the place from which a drill runs. Each flaw is one that a drill must find. */
import { createHash } from 'node:crypto'
import type { StoredRow } from '../drill/checkers/final-store.ts'
import type { Event } from '../drill/history.ts'
import type { DrillHome, Load, LoadOptions, Recent } from '../drill/targets/home.ts'

/**
 * answersEarly: acknowledges some items that it never stores. savesTwice: stores some contents twice. sendsNothing: the load
 * generator makes no request. diesEarly: the load generator is killed, so its record has no end. unreadable: the store
 * cannot be read. failsOthers: the requests of other clients fail, those of the load do not.
 */
export type Flaw = 'answersEarly' | 'savesTwice' | 'sendsNothing' | 'diesEarly' | 'unreadable' | 'failsOthers'

export interface FakeHome extends DrillHome {
  /** Collections that were deleted, in their order. */
  readonly dropped: string[]
  /** Failed requests of other clients so far. */
  readonly othersFailed: () => number
}

/** Every n-th item meets the flaw. */
const FLAWED = 10
const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Creates the home. Its load sends on timers, so a test may fake time. */
export function createFakeHome(flaws: readonly Flaw[] = []): FakeHome {
  const has = (flaw: Flaw): boolean => flaws.includes(flaw)
  const dropped: string[] = []
  const rows: StoredRow[] = []
  const events: Event[] = []
  const openedMs = Date.now()

  const record = (entry: Omit<Event, 'seq' | 'tMono' | 'tWall'>, atMs = Date.now()): void =>
    void events.push({ seq: events.length + 1, tMono: atMs, tWall: atMs, ...entry })

  function save({ key, index, process, collection }: Sent): void {
    const base = { process, op: `${process}/${key}`, f: 'save', key, collection } as const
    const id = `j1-${key}`
    const isStored = rows.some((row) => row.id === id)
    const isFlawed = index % FLAWED === 0
    record({ ...base, type: 'invoke', bytes: key })
    if (!isStored && !(has('answersEarly') && isFlawed)) rows.push({ collection, id, bytes: key })
    if (has('savesTwice') && isFlawed && !isStored) rows.push({ collection, id, bytes: key })
    record({ ...base, type: 'ok', result: isStored ? 'duplicate' : 'created', id })
  }

  function startLoad({ run, collection, rate }: LoadOptions): Load {
    let sent = 0
    const phase = (key: string): void =>
      record({ process: 'k6', op: `${key}/${events.length}`, f: 'phase', type: 'info', key })
    phase('load-began')
    const next = (): void => {
      const index = ++sent
      if (!has('sendsNothing')) save({ key: digest(`${run}/${index}`), index, process: 'vu', collection })
    }
    const timer = setInterval(next, 1_000 / rate)
    return {
      since: async (fromMs) => recentOf(events, fromMs),
      async stop() {
        clearInterval(timer)
        phase(has('diesEarly') ? 'load-cut' : 'load-ended')
        return [...events]
      },
      async settle() {
        const from = events.length
        for (let index = 1; index <= sent && !has('sendsNothing'); index++)
          save({ key: digest(`${run}/${index}`), index, process: 'settle', collection })
        return events.slice(from)
      },
      [Symbol.asyncDispose]: async () => clearInterval(timer),
    }
  }

  return {
    dropped,
    othersFailed: () => (has('failsOthers') ? Math.floor((Date.now() - openedMs) / 1_000) : 0),
    startLoad: async (options) => startLoad(options),
    startCanary: async () => undefined,
    async readStore() {
      if (has('unreadable')) throw new Error('the store does not respond')
      return { rows: [...rows] }
    },
    dropCollection: async (collection) => void dropped.push(collection),
  }
}

interface Sent {
  readonly key: string
  readonly index: number
  readonly process: string
  readonly collection: string
}

function recentOf(events: readonly Event[], fromMs: number): Recent {
  const requests = events.filter(({ f, type, tWall }) => f === 'save' && type !== 'invoke' && tWall >= fromMs)
  return { requests: requests.length, failed: 0, refused: 0 }
}

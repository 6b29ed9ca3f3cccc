/**
 * Queues the waiters of this process, per key, first in, first out. Only the first waiter calls the backend, so a
 * hundred waiters cost the lock service no more than one.
 */
import type { IngotError } from '../../errors/error.ts'
import type { Key } from '../lock.ts'

/** The last outcome that the first waiter got from the backend: none yet, held, or an outage. */
export type News = 'nothing' | 'held' | IngotError

/** The turn of the first waiter. */
export interface LocalTurn {
  /** Ends the turn and admits the next waiter. Later calls do nothing. */
  leave(): void
  /** The last outcome for the key, also from earlier waiters that gave up. */
  readonly news: News
  /** Records an outcome, also for the waiters behind, whose wait may end before their turn. */
  report(news: News): void
}

export interface LocalQueue {
  /** Resolves when the caller is first in the queue. Rejects with the signal's reason. */
  enter(key: Key, signal: AbortSignal): Promise<LocalTurn>
  /** Returns `undefined` if the key has waiters or a holder in this process. */
  tryEnter(key: Key): LocalTurn | undefined
  news(key: Key): News
}

type Admit = (turn: LocalTurn) => void

interface Line {
  readonly waiting: Set<Admit>
  news: News
}

export function createLocalQueue(): LocalQueue {
  const lines = new Map<Key, Line>()

  function open(key: Key, line: Line): LocalTurn {
    let left = false
    return {
      get news() {
        return line.news
      },
      leave() {
        if (left) return
        left = true
        admitNext(key, line)
      },
      report(news) {
        if (!left) line.news = news
      },
    }
  }

  function admitNext(key: Key, line: Line): void {
    const next = line.waiting.values().next().value
    if (next === undefined) {
      lines.delete(key)
      return
    }
    line.waiting.delete(next)
    next(open(key, line))
  }

  function begin(key: Key): LocalTurn {
    const line: Line = { waiting: new Set(), news: 'nothing' }
    lines.set(key, line)
    return open(key, line)
  }

  function queue({ waiting }: Line, signal: AbortSignal): Promise<LocalTurn> {
    return new Promise((resolve, reject) => {
      const quit = (): void => {
        waiting.delete(admit)
        reject(signal.reason)
      }
      const admit: Admit = (turn) => {
        signal.removeEventListener('abort', quit)
        resolve(turn)
      }
      waiting.add(admit)
      signal.addEventListener('abort', quit, { once: true })
    })
  }

  return {
    tryEnter: (key) => (lines.has(key) ? undefined : begin(key)),
    async enter(key, signal) {
      signal.throwIfAborted()
      const line = lines.get(key)
      return line === undefined ? begin(key) : queue(line, signal)
    },
    news: (key) => lines.get(key)?.news ?? 'nothing',
  }
}

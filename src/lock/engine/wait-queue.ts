/**
 * The line of waiters inside this process, one per key, first come, first served. Only the first of a line goes to the
 * backend, so that a hundred waiters here cost the lock service no more than one.
 */
import type { IngotError } from '../../std/error.ts'
import type { Key } from '../lock.ts'

/** What the first in line last heard from the backend: nothing yet, that the key is held, or an outage. */
export type News = 'nothing' | 'held' | IngotError

/** Being first in line. */
export interface LocalTurn {
  /** Lets the next one go. More than one call does nothing. */
  leave(): void
  /** What was last heard of the key, also by those who were first in line before and gave up. */
  readonly news: News
  /** Records the news, also for those behind, whose wait may end before it is their turn. */
  report(news: News): void
}

export interface LocalQueue {
  /** Resolves when first in line. Rejects with the signal's reason. */
  enter(key: Key, signal: AbortSignal): Promise<LocalTurn>
  /** `undefined` when anybody is in line. */
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

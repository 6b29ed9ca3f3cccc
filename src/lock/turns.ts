/**
 * The line of waiters inside this process, one per key, first come, first served. Only the first of a line goes to the
 * backend, so that a hundred waiters here cost the lock service no more than one.
 */
import { Fault } from '../std/fault.ts'
import type { Key } from './lock.ts'

/** Being first in line. */
export interface Turn {
  /** Lets the next one go. More than one call does nothing. */
  leave(): void
}

export interface Turns {
  /** Resolves when first in line. Rejects with the signal's reason, or with `OVERLOADED` when too many wait already. */
  enter(key: Key, signal: AbortSignal): Promise<Turn>
  /** `undefined` when anybody is in line. */
  tryEnter(key: Key): Turn | undefined
}

type Admit = (turn: Turn) => void

export function createTurns(maxWaiting: number): Turns {
  const lines = new Map<Key, Set<Admit>>()
  let waiting = 0

  function open(key: Key): Turn {
    let left = false
    return {
      leave() {
        if (left) return
        left = true
        admitNext(key)
      },
    }
  }

  function admitNext(key: Key): void {
    const line = lines.get(key)
    const next = line?.values().next().value
    if (line === undefined || next === undefined) {
      lines.delete(key)
      return
    }
    line.delete(next)
    waiting--
    next(open(key))
  }

  function tryEnter(key: Key): Turn | undefined {
    if (lines.has(key)) return undefined
    lines.set(key, new Set())
    return open(key)
  }

  function queue(key: Key, signal: AbortSignal): Promise<Turn> {
    const line = lines.get(key) ?? new Set()
    if (waiting >= maxWaiting) throw new Fault('OVERLOADED', `${waiting} callers wait for locks already`)
    waiting++
    return new Promise((resolve, reject) => {
      const quit = (): void => {
        if (line.delete(admit)) waiting--
        reject(signal.reason)
      }
      const admit: Admit = (turn) => {
        signal.removeEventListener('abort', quit)
        resolve(turn)
      }
      line.add(admit)
      signal.addEventListener('abort', quit, { once: true })
    })
  }

  return {
    tryEnter,
    async enter(key, signal) {
      signal.throwIfAborted()
      return tryEnter(key) ?? queue(key, signal)
    },
  }
}

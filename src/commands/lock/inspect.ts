/** Shows the state of a lock. */

import type { Inspection, Key } from '../../lock/lock.ts'
import { outageError } from '../../lock/lock-error.ts'
import { createLocker } from '../../lock/locker.ts'
import { createScope } from '../../std/scope.ts'
import { EXIT, type Io } from '../line/command.ts'
import { beginWait, type LockService, openService } from './service.ts'

type Answered = Exclude<Inspection, { kind: 'unavailable' }>

/** Prints whether the lock is held, for how long at most, and its fence. Rejects with the error of an outage. */
export async function inspectLock(service: LockService, key: Key, json: boolean, io: Io): Promise<number> {
  await using scope = createScope()
  const { clock, signal } = io
  const backend = await openService(scope, service, beginWait({ kind: 'once' }, clock), {
    clock,
    signal,
    onOutage() {},
  })
  const locker = createLocker(backend, { clock })
  scope.defer(() => locker[Symbol.asyncDispose]())
  const state = await locker.inspect(key)
  if (state.kind === 'unavailable') throw outageError(state.error)
  io.stdout.write(json ? `${JSON.stringify(jsonOf(key, state))}\n` : `${textOf(state)}\n`)
  return EXIT.fine
}

function jsonOf(key: Key, state: Answered): object {
  if (state.kind === 'free') return { key, state: 'free' }
  // a fence exceeds the exact integers of JavaScript
  return { key, state: 'held', remainingMs: state.remainingMs ?? null, fence: state.fence?.toString() ?? null }
}

function textOf(state: Answered): string {
  if (state.kind === 'free') return 'free'
  const rest = state.remainingMs === undefined ? [] : [`for at most ${(state.remainingMs / 1_000).toFixed(1)} s`]
  const fence = state.fence === undefined ? [] : [`fence ${state.fence}`]
  return ['held', ...rest, ...fence].join(', ')
}

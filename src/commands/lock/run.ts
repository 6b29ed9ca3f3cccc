/** Runs a command under a lock: waits for the lock, supervises the command, releases the lock. */
import { isatty } from 'node:tty'
import { environmentUnderLock } from '../../config/client.ts'
import { withTelemetry } from '../../lock/engine/decorate.ts'
import type { Grant } from '../../lock/engine/grant.ts'
import type { Key } from '../../lock/lock.ts'
import { LockError } from '../../lock/lock-error.ts'
import { createLocker } from '../../lock/locker.ts'
import { unmeasured } from '../../lock/measure.ts'
import { createScope, type Scope } from '../../std/scope.ts'
import type { Io } from '../line/command.ts'
import { codeOf, startChild } from './child.ts'
import { signalCode } from './exit-codes.ts'
import { createSignalRelay, type SignalRelay } from './relay.ts'
import { acquireLock, beginWait, type LockService, openService } from './service.ts'
import { type Outcome, supervise } from './supervise.ts'
import { type LeaseOptions, type LeaseTerms, leaseTermsOf, type Wait } from './terms.ts'

export interface LockedRun {
  readonly service: LockService
  readonly key: Key
  readonly wait: Wait
  readonly lease: LeaseOptions
  readonly command: readonly [program: string, ...args: string[]]
}

interface Held {
  readonly grant: Grant
  readonly terms: LeaseTerms
}

/** How long the end waits for an unanswered release, in milliseconds. */
const RELEASE_MS = 3_000

/**
 * Resolves with the exit code of the command, or with 128 + n if a signal ended the wait. Rejects with a `LockError` if the
 * lock was not granted or was lost.
 */
export async function runLocked(run: LockedRun, io: Io): Promise<number> {
  using relay = createSignalRelay(io.takeSignals)
  await using scope = createScope()
  let held: Held
  try {
    held = await obtain(scope, run, relay.waiting, io)
  } catch (thrown) {
    if (relay.endedBy !== undefined) return signalCode(relay.endedBy)
    throw thrown
  }
  if (relay.endedBy !== undefined) {
    await held.grant.release()
    return signalCode(relay.endedBy)
  }
  // awaited here, because the scope closes the connection at the end of this function
  return await runHeld(run, held, relay, io)
}

async function obtain(
  scope: Scope,
  { service, key, wait, lease }: LockedRun,
  signal: AbortSignal,
  io: Io,
): Promise<Held> {
  const { clock } = io
  const outage = outageNotes(io, signal)
  const deps = { clock, signal, onOutage: outage.began }
  const running = beginWait(wait, clock)
  const backend = await openService(scope, service, running, deps)
  outage.ended()
  const terms = leaseTermsOf(lease, backend.capabilities.maxTtlMs)
  const measures = { ...unmeasured, called: outage.called }
  const locker = createLocker(withTelemetry(backend, measures, clock), { clock, closeMs: RELEASE_MS })
  scope.defer(() => locker[Symbol.asyncDispose]())
  return { grant: await acquireLock(locker, { key, ttlMs: terms.ttlMs }, running, deps), terms }
}

async function runHeld(run: LockedRun, { grant, terms }: Held, relay: SignalRelay, io: Io): Promise<number> {
  const ownGroup = !isatty(0)
  const env = environmentUnderLock(run.key, grant.fence)
  const job = startChild({ command: run.command, env, ownGroup, terms })
  relay.to(job, ownGroup)
  let outcome: Outcome
  try {
    outcome = await supervise(job, grant, terms, io.clock)
  } catch (thrown) {
    // the command was not started
    await grant.release()
    throw thrown
  } finally {
    job.dismissGuard()
  }
  const code = codeOf(outcome.ended)
  const { kind } = await grant.release()
  if (outcome.stopped) throw lost(`the lock "${run.key}" could not be kept, and the command was stopped`)
  if (kind === 'lost') throw lost(`the command ended with ${code}, but the lock "${run.key}" was lost while it ran`)
  return code
}

const lost = (message: string): LockError => new LockError('lost', 'LOCK_LOST', message)

interface OutageNotes {
  readonly began: (message: string) => void
  readonly ended: () => void
  readonly called: (backend: string, call: string, outcome: string) => void
}

/** Shows the beginning of each outage, once. */
function outageNotes({ stderr }: Io, signal: AbortSignal): OutageNotes {
  let inOutage = false
  const began = (message: string): void => {
    if (!inOutage && !signal.aborted) stderr.write(`waiting for the lock service: ${message}\n`)
    inOutage = true
  }
  const ended = (): void => {
    inOutage = false
  }
  const called: OutageNotes['called'] = (_backend, call, outcome) => {
    if (call !== 'tryAcquire') return
    if (outcome === 'unavailable') began('it does not respond')
    else ended()
  }
  return { began, ended, called }
}

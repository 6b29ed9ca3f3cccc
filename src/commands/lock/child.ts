/**
 * The command that runs under a lock. Standard streams are inherited.
 *
 * Without a terminal the command leads a process group of its own, so that a signal reaches all of its processes, also
 * those that a shell has started. With a terminal as standard input it stays in the group of the terminal: otherwise it
 * could not read from it, and Ctrl-Z would stop only ingot. Signals then go to the command and its descendants.
 */
import { spawn } from 'node:child_process'
import { IngotError } from '../../errors/error.ts'
import { descendantsOf } from './descendants.ts'
import { signalCode } from './exit-codes.ts'
import { type Guard, startGuard } from './guard.ts'
import type { Ended, Job } from './supervise.ts'
import type { LeaseTerms } from './terms.ts'

export interface ChildJob extends Job {
  /** Passes a signal on. */
  signal(name: NodeJS.Signals): void
  /** Ends the guard. Call it before the lock is released. */
  dismissGuard(): void
}

export interface ChildSpec {
  readonly command: readonly [program: string, ...args: string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  /** False with a terminal. */
  readonly ownGroup: boolean
  readonly terms: LeaseTerms
}

/** Starts the command. `ended` rejects with PROGRAM_NOT_FOUND or PROGRAM_NOT_STARTED if that fails. */
export function startChild({ command: [program, ...args], env, ownGroup, terms }: ChildSpec): ChildJob {
  const guard: Guard = startGuard(terms)
  const child = spawn(program, args, { stdio: 'inherit', env, detached: ownGroup })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', (cause) => reject(notStarted(program, cause)))
    child.once('exit', (code, name) =>
      resolve(name === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', name }),
    )
  })
  // awaited by the supervisor
  ended.catch(() => {})
  const { pid } = child
  const dismissGuard = (): void => guard.dismiss()
  if (pid === undefined) return { ended, ask() {}, kill() {}, signal() {}, dismissGuard, isGone: () => true }

  guard.watch(ownGroup ? -pid : pid)
  const send = (name: NodeJS.Signals | 0): boolean => {
    if (ownGroup) return kill(-pid, name)
    const others = descendantsOf(pid).map((one) => kill(one, name))
    return child.kill(name) || others.includes(true)
  }
  return {
    ended,
    signal: (name) => void send(name),
    ask() {
      guard.hurry()
      send('SIGTERM')
    },
    kill: () => void send('SIGKILL'),
    isGone: () => !send(0),
    dismissGuard,
  }
}

/** Returns the exit code of the command, as a shell does. */
export function codeOf(ended: Ended): number {
  return ended.kind === 'exited' ? ended.code : signalCode(ended.name)
}

/** Returns false if there is no such process, or it belongs to another user. */
function kill(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name)
  } catch {
    return false
  }
}

function notStarted(program: string, cause: NodeJS.ErrnoException): IngotError {
  if (cause.code === 'ENOENT') {
    return new IngotError('PROGRAM_NOT_FOUND', `there is no program "${program}"`, { cause })
  }
  return new IngotError('PROGRAM_NOT_STARTED', `"${program}" cannot be started: ${cause.message}`, { cause })
}

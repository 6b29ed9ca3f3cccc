/** Starts processes that use the same lock service as a test, and that the test can stop and kill. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Lease, LeaseRequest } from '../../lock/backend.ts'
import type { Attempt, Extension, Fencing, Inspection, Key, Release } from '../../lock/lock.ts'
import type { PeerCommand, PeerReply } from './peer.ts'

/** Another process on the same lock service. Disposing kills it. */
export interface Peer extends AsyncDisposable {
  tryAcquire(request: LeaseRequest): Promise<Attempt<Fencing>>
  extend(request: LeaseRequest): Promise<Extension>
  release(lease: Lease): Promise<Release>
  inspect(key: Key): Promise<Inspection>
  /** Sends SIGKILL, SIGSTOP or SIGCONT. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
}

/** Kills the child, also if it is stopped, and resolves when it has ended. */
export async function reap(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/**
 * Forks a program of this folder. Its messages may contain bigints. On Linux the system kills it when its parent ends for
 * any reason, because a stopped process does not notice the end of its parent.
 */
export function forkTestProgram(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): ChildProcess {
  const program = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const line = ['--disable-warning=ExperimentalWarning', ...flags]
  const { execPath } = process
  const bound =
    process.platform === 'linux'
      ? { execPath: 'setpriv', execArgv: ['--pdeathsig', 'KILL', execPath, ...line] }
      : { execPath, execArgv: line }
  return fork(program, [...args], {
    ...bound,
    serialization: 'advanced',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

/** Starts a peer on this URL. `fences` is the URL of its fence store, if any. `failpoints` sabotage it. */
export async function startPeer(url: string, fences = '', failpoints: readonly string[] = []): Promise<Peer> {
  const flags = failpoints.length === 0 ? [] : ['--conditions=failpoints']
  const env = { INGOT_TEST_FENCES: fences, INGOT_FAILPOINTS: failpoints.join(',') }
  const child = forkTestProgram('locks/peer.ts', [url], env, flags)
  const waiting = new Map<number, (value: unknown) => void>()
  let asked = 0
  const [first] = (await once(child, 'message')) as [PeerReply]
  if (first.kind !== 'ready') {
    await reap(child)
    throw new Error(`the other process did not start: ${first.kind === 'failed' ? first.reason : first.kind}`)
  }
  child.on('message', (reply: PeerReply) => {
    if (reply.kind !== 'answer') return
    waiting.get(reply.id)?.(reply.value)
    waiting.delete(reply.id)
  })

  // the child runs the same code, so its responses have the types of the port
  const ask = <T>(command: PeerCommand): Promise<T> =>
    new Promise((resolve) => {
      const id = ++asked
      waiting.set(id, (value) => resolve(value as T))
      child.send({ id, command })
    })

  return {
    tryAcquire: (request) => ask({ op: 'tryAcquire', request }),
    extend: (request) => ask({ op: 'extend', request }),
    release: (lease) => ask({ op: 'release', lease }),
    inspect: (key) => ask({ op: 'inspect', key }),
    signal: (name) => void child.kill(name),
    [Symbol.asyncDispose]: () => reap(child),
  }
}

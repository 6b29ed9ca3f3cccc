/** Which parts of a lock keep a process alive: a waiting caller does, background work does not. Real processes. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { reap } from '../testing/locks/processes.ts'
import { present } from '../testing/present.ts'
import { type RedisServers, startSentinel, startStandalone } from '../testing/redis/servers.ts'

const PROGRAM = fileURLToPath(new URL('../testing/locks/end-peer.ts', import.meta.url))

interface Program extends AsyncDisposable {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

type Task = 'wait' | 'release' | 'dispose'

/** `keepsAlive` replaces the effect of the locker's timers on the process. See the program. */
function start(task: Task, url: string, keepsAlive?: 'always' | 'never'): Program {
  const child = fork(PROGRAM, [task, url, ...(keepsAlive === undefined ? [] : [keepsAlive])], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const printed = { stdout: '', stderr: '' }
  child.stdout?.on('data', (data: Buffer) => void (printed.stdout += data.toString()))
  child.stderr?.on('data', (data: Buffer) => void (printed.stderr += data.toString()))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...printed }))
  return { child, ended, [Symbol.asyncDispose]: () => reap(child) }
}

test('a caller that waits on memory: keeps the process alive until the wait is over', async () => {
  await using program = start('wait', 'memory:')
  const { code, stdout, stderr } = await program.ended
  expect(stderr).toBe('')
  expect([code, stdout]).toEqual([0, expect.stringContaining('not free within 300 ms')])
})

/** Node's exit code for an unsettled top-level await. */
const UNSETTLED = 13

test('mutation: if no timer of a wait keeps the process alive, it ends during the wait', async () => {
  await using program = start('wait', 'memory:', 'never')
  const { code, stdout } = await program.ended
  expect([code, stdout]).toEqual([UNSETTLED, ''])
})

/** The lease is 30 s, which a process that waits for a repair would take. A loaded machine needs some of it to end. */
const END_MS = 10_000

const SHAPES = [
  ['redis', () => startStandalone()],
  ['redis+sentinel', () => startSentinel()],
] as const

interface Broken {
  readonly servers: RedisServers
  readonly signal: 'KILL' | 'STOP'
  readonly task: Task
  readonly keepsAlive?: 'always'
}

/** Breaks the servers while the program holds a lock, lets it release, and returns how it ended within `END_MS`. */
async function endAfterOutage({ servers, signal, task, keepsAlive }: Broken): Promise<Awaited<Program['ended']>> {
  await using program = start(task, servers.url, keepsAlive)
  await once(program.child, 'message')
  for (const port of servers.ports) await servers.signal(port, signal)
  program.child.send('go')
  const timer = setTimeout(() => program.child.kill('SIGKILL'), END_MS)
  const end = await program.ended
  clearTimeout(timer)
  for (const port of servers.ports) await servers.signal(port, 'CONT').catch(() => {})
  return end
}

for (const [shape, startServers] of SHAPES) {
  for (const signal of ['KILL', 'STOP'] as const) {
    for (const task of ['release', 'dispose'] as const) {
      test(`${shape}: after SIG${signal} of the server a release keeps no process alive (${task})`, async ({
        skip,
      }) => {
        await using servers = present(await startServers(), skip)
        const { code, stdout, stderr } = await endAfterOutage({ servers, signal, task })
        expect(stderr).toBe('')
        expect([code, stdout]).toEqual([0, 'unavailable\ndone\n'])
      })
    }
  }
}

test('mutation: if the timers of repairs keep the process alive, it does not end with its work', async ({ skip }) => {
  await using servers = present(await startStandalone(), skip)
  const { code, stdout } = await endAfterOutage({ servers, signal: 'KILL', task: 'release', keepsAlive: 'always' })
  // it had done all of its work, and was killed
  expect([code, stdout]).toEqual([null, 'unavailable\ndone\n'])
})

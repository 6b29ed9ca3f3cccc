/** What of a lock keeps a process alive: a caller who waits does, work in the background does not. Real processes. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { reap } from '../testing/lock-processes.ts'
import { present } from '../testing/present.ts'
import { startSentinel, startStandalone } from '../testing/redis-servers.ts'

const PROGRAM = fileURLToPath(new URL('../testing/lock-end-peer.ts', import.meta.url))

interface Program extends AsyncDisposable {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

function start(task: 'wait' | 'release' | 'dispose', url: string): Program {
  const child = fork(PROGRAM, [task, url], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const printed = { stdout: '', stderr: '' }
  child.stdout?.on('data', (data: Buffer) => void (printed.stdout += data.toString()))
  child.stderr?.on('data', (data: Buffer) => void (printed.stderr += data.toString()))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...printed }))
  return { child, ended, [Symbol.asyncDispose]: () => reap(child) }
}

test('a caller who waits on memory: keeps the process alive until the wait is over', async () => {
  await using program = start('wait', 'memory:')
  const { code, stdout, stderr } = await program.ended
  expect(stderr).toBe('')
  // 13: an unsettled top-level await
  expect([code, stdout]).toEqual([0, expect.stringContaining('not free within 300 ms')])
})

/** The lease is 30 s, which a process that waits for a repair would take; a loaded machine needs some for its end. */
const END_MS = 10_000

const SHAPES = [
  ['redis', () => startStandalone()],
  ['redis+sentinel', () => startSentinel()],
] as const

for (const [shape, startServers] of SHAPES) {
  for (const signal of ['KILL', 'STOP'] as const) {
    for (const task of ['release', 'dispose'] as const) {
      test(`${shape}: after SIG${signal} of the server a release keeps no process alive (${task})`, async ({
        skip,
      }) => {
        await using servers = present(await startServers(), skip)
        await using program = start(task, servers.url)
        await once(program.child, 'message')
        for (const port of servers.ports) await servers.signal(port, signal)
        program.child.send('go')
        const timer = setTimeout(() => program.child.kill('SIGKILL'), END_MS)
        const { code, stdout, stderr } = await program.ended
        clearTimeout(timer)
        expect(stderr).toBe('')
        expect([code, stdout]).toEqual([0, 'unavailable\ndone\n'])
        for (const port of servers.ports) await servers.signal(port, 'CONT').catch(() => {})
      })
    }
  }
}

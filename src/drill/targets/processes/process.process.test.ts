import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../testing/folder.ts'
import { armBreakpoint } from './breakpoint.ts'
import { freezeProcess, proveFrozen, thawProcess } from './process.ts'

const folder = temporaryFolder()

async function startSleeper() {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const { pid = 0 } = child
  return {
    pid,
    endedBy: () => child.signalCode ?? undefined,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

test('a stopped process is proven stopped, and a running one is not', async () => {
  await using sleeper = await startSleeper()
  await expect(proveFrozen(sleeper.pid)).rejects.toThrow('a stopped process')
  freezeProcess(sleeper.pid)
  expect(await proveFrozen(sleeper.pid)).toContain('T (stopped)')
  thawProcess(sleeper.pid)
  await expect(proveFrozen(sleeper.pid)).rejects.toThrow('a stopped process')
})

test('continuing a process that is gone does nothing', async () => {
  const sleeper = await startSleeper()
  await sleeper[Symbol.asyncDispose]()
  expect(() => thawProcess(sleeper.pid)).not.toThrow()
  expect(() => freezeProcess(sleeper.pid)).toThrow('ESRCH')
})

/** Simulates a process with fail points that reaches the point. */
function pass(point: string, pid: number): void {
  const file = join(folder, point)
  renameSync(file, `${file}.met`)
  process.kill(pid, readFileSync(`${file}.met`, 'utf8'))
}

test.for(['SIGKILL', 'SIGSTOP'] as const)(
  'a breakpoint with %s is proven when a process has reached it',
  async (by) => {
    await using sleeper = await startSleeper()
    const point = `point-${by}`
    const breakpoint = armBreakpoint({ folder, point, signalName: by, pid: sleeper.pid, endedBy: sleeper.endedBy })
    const reached = breakpoint.reached(10_000, AbortSignal.timeout(10_000))
    pass(point, sleeper.pid)
    expect(await reached).toContain(by === 'SIGKILL' ? `process ${sleeper.pid} ended by SIGKILL` : 'T (stopped)')
  },
)

test('a breakpoint that is not reached is an error, and is removed by disarm', async () => {
  await using sleeper = await startSleeper()
  const options = { folder, point: 'never', signalName: 'SIGKILL', ...sleeper } as const
  const breakpoint = armBreakpoint(options)
  await expect(breakpoint.reached(1, AbortSignal.timeout(10_000))).rejects.toThrow('a request that reaches never')
  expect(existsSync(join(folder, 'never'))).toBe(true)
  breakpoint.disarm()
  breakpoint.disarm()
  expect(existsSync(join(folder, 'never'))).toBe(false)
})

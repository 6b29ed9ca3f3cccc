import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { readHistory } from '../../../drill/history.ts'
import { until, untilTrue } from '../../../std/until.ts'
import { present } from '../../present.ts'
import { findRedisPrograms } from '../../redis/processes.ts'

const PROGRAM = 'redis-server'
/** Number of servers: a primary, two replicas and three Sentinels. */
const SERVERS = 6
const WORKERS = 8
const GONE_MS = 10_000
const INJECTED_MS = 90_000

interface Running {
  readonly child: ChildProcess
  /** Resolves with the exit code and the signal when its output is read to the end. */
  readonly ended: Promise<unknown>
  stdout(): string
  stderr(): string
}

const leftovers: (() => void)[] = []

afterEach(() => {
  for (const clean of leftovers.splice(0)) clean()
})

/** Starts the program in a process group of its own, as a shell does. */
function start(...args: readonly string[]): Running {
  const line = [join(import.meta.dirname, 'command.ts'), '--redis', PROGRAM, ...args]
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => void (said[name] += text))
  }
  leftovers.push(() => {
    for (const pid of membersOf(child.pid ?? 0)) process.kill(pid, 'SIGKILL')
    const folder = folderIn(said.stdout)
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })
  return { child, ended: once(child, 'close'), stdout: () => said.stdout, stderr: () => said.stderr }
}

function folderIn(text: string): string | undefined {
  return /history and verdict in (.+)/.exec(text)?.[1]
}

interface ProcessState {
  readonly group: number
  /** State as in proc(5): `T` is stopped, `Z` has ended. */
  readonly state: string
  readonly command: string
}

function stateOf(pid: number): ProcessState | undefined {
  try {
    const [, state = '', , group = ''] = /\) (\S) (\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { state, group: Number(group), command: readFileSync(`/proc/${pid}/cmdline`, 'latin1') }
  } catch {
    // the process has ended since the folder was read
    return undefined
  }
}

/** Returns the processes of a group that have not ended. */
function membersOf(group: number): readonly number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.filter((pid) => {
    const found = stateOf(pid)
    return found?.group === group && found.state !== 'Z'
  })
}

/** Returns the children of a process. This is cheaper than reading every process of the machine. */
function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    // the program has ended
    return []
  }
}

/** Resolves with the members of the program's group when its first fault is active: a stopped worker. */
async function untilInjected(run: Running): Promise<readonly number[]> {
  const giveUp = new AbortController()
  void run.ended.then(() => giveUp.abort(new Error(`ended early: ${run.stdout()}${run.stderr()}`)))
  return until(
    async () => {
      const pid = run.child.pid ?? 0
      const isStopped = childrenOf(pid).some((child) => stateOf(child)?.state === 'T')
      return isStopped ? { value: membersOf(pid) } : { missing: 'a stopped worker' }
    },
    { withinMs: INJECTED_MS, everyMs: 10, signal: giveUp.signal },
  )
}

function expectAllRunning(members: readonly number[]): void {
  const commands = members.map((pid) => stateOf(pid)?.command ?? '')
  const count = (part: string): number => commands.filter((command) => command.includes(part)).length
  expect({ servers: count(PROGRAM) - 1, workers: count('worker-peer') }).toEqual({ servers: SERVERS, workers: WORKERS })
}

const untilGone = ({ child }: Running): Promise<true> =>
  untilTrue('the end of all processes', async () => membersOf(child.pid ?? 0).length === 0, { withinMs: GONE_MS })

describe('npm run locks:history', () => {
  test('judges a short run valid and leaves the history and the verdict', async ({ skip }) => {
    present(await findRedisPrograms(PROGRAM), skip)
    const run = start('--seed', '1', '--minutes', '0.05', '--faults', 'primary-kill')
    expect(await run.ended, run.stdout() + run.stderr()).toEqual([0, null])
    const folder = folderIn(run.stdout()) ?? ''
    const { events } = readHistory(join(folder, 'history.ndjson'))
    const proven = events.filter(({ f, type }) => f === 'fault' && type === 'ok')
    expect(proven.map(({ key }) => key)).toContain('primary-kill')
    expect(events.filter(({ f, type }) => f === 'acquire' && type === 'ok').length).toBeGreaterThan(10)
    const verdict: unknown = JSON.parse(readFileSync(join(folder, 'verdict.json'), 'utf8'))
    expect(verdict).toMatchObject({ seed: 1, fences: 'sqlite', kind: 'valid' })
    expect(membersOf(run.child.pid ?? 0)).toEqual([])
  })

  test('is inconclusive if no fault took effect', async ({ skip }) => {
    present(await findRedisPrograms(PROGRAM), skip)
    // the traffic ends before the first fault
    const run = start('--seed', '2', '--minutes', '0.0001')
    expect(await run.ended, run.stdout() + run.stderr()).toEqual([3, null])
    expect(run.stdout()).toContain('only 0 faults are proven to have taken effect')
  })

  test('ends with Ctrl-C while a worker is stopped, and leaves no process behind', async ({ skip }) => {
    present(await findRedisPrograms(PROGRAM), skip)
    const run = start('--seed', '3', '--minutes', '5', '--faults', 'worker-stop')
    expectAllRunning(await untilInjected(run))
    // a terminal signals every process of the group
    process.kill(-(run.child.pid ?? 0), 'SIGINT')
    expect(await run.ended, run.stdout()).toEqual([4, null])
    expect(run.stderr()).toBe('ended by SIGINT\n')
    expect(membersOf(run.child.pid ?? 0)).toEqual([])
  })

  test('leaves no process behind when it is killed while a worker is stopped', async ({ skip }) => {
    present(await findRedisPrograms(PROGRAM), skip)
    const run = start('--seed', '4', '--minutes', '5', '--faults', 'worker-stop')
    expectAllRunning(await untilInjected(run))
    run.child.kill('SIGKILL')
    await untilGone(run)
    expect(await run.ended).toEqual([null, 'SIGKILL'])
  })
})

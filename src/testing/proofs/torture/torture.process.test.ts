import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readHistory } from '../../../drill/history.ts'
import { reportOf } from '../../../drill/report/verdict-text.ts'
import { findDocker } from '../../containers.ts'
import { temporaryFolder } from '../../folder.ts'
import { present } from '../../present.ts'
import { runIngot } from '../../process.ts'
import { torture } from './torture.ts'

const folder = temporaryFolder()
/**
 * Longest traffic, in milliseconds. It ends earlier, when every kind has happened, which takes longer on a busy
 * machine.
 */
const LONGEST_MS = 120_000
const SHORT = { trafficMs: LONGEST_MS, cover: true, lock: 'redis', quietMs: 200 } as const

describe('three replicas under faults', () => {
  test.for([
    ['http', ['replica-kill-before-release', 'late-packet', 'store-kill', 'lock-server-kill', 'holder-stop']],
    [
      'postgres',
      ['replica-kill-after-commit', 'replica-stop', 'late-packet', 'store-kill', 'store-cut', 'holder-stop'],
    ],
  ] as const)('on store %s keep every promise', async ([store, faults], { skip }) => {
    present(await findDocker(), skip)
    const out = join(folder, store)
    const options = { ...SHORT, seed: 7, store, faults, folder: out, signal: AbortSignal.timeout(280_000) }
    const { verdict, missing } = await torture(options)
    expect(verdict.kind, reportOf(verdict)).toBe('valid')
    // every fault is proven, and single items, batches, streams, deletions and locks occurred
    expect(missing).toEqual([])
    expect(JSON.parse(readFileSync(join(out, 'verdict.json'), 'utf8'))).toMatchObject({ seed: 7, store, kind: 'valid' })
  })

  test('violate stored-once if they ignore the fence, and `ingot check` has the same verdict', async ({ skip }) => {
    present(await findDocker(), skip)
    const out = join(folder, 'sabotaged')
    const { verdict, historyFile } = await torture({
      ...SHORT,
      seed: 7,
      store: 'http',
      folder: out,
      failpoints: ['lock/ignore-fence'],
      faults: ['late-packet'],
      // after the lookup and the save of the other replica
      lateMs: [1_000, 1_000],
      signal: AbortSignal.timeout(280_000),
    })
    expect(verdict.checks['stored-once'], reportOf(verdict)).toMatchObject({ kind: 'violated' })
    expect(verdict.checks['stored-once']?.counterExamples[0]?.events.length).toBeGreaterThan(1)
    const store = `audit:${join(out, 'legacy', 'audit.ndjson')}`
    const checked = await runIngot(['check', '--history', historyFile, '--store', store, '--json'])
    expect(checked).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(checked.stdout)).toMatchObject({
      kind: 'violated',
      events: readHistory(historyFile).events.length,
    })
  })

  test('end after Ctrl-C, and leave no process behind', async ({ skip }) => {
    present(await findDocker(), skip)
    const args = [join(import.meta.dirname, 'command.ts'), '--seed', '3', '--minutes', '5', '--lock', 'redis']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const exited = once(child, 'exit')
    const said = { stdout: '', stderr: '' }
    const { promise: injected, resolve } = Promise.withResolvers<void>()
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text
        // the second line reports the first fault
        if (/:.*\n[a-z-]+: /.test(said.stdout)) resolve()
      })
    }
    await Promise.race([injected, exited])
    expect(child.exitCode, said.stderr).toBeNull()
    const pids = childrenOf(child.pid ?? 0)
    expect(pids.length).toBeGreaterThan(5)
    child.kill('SIGINT')
    expect(await exited, said.stderr).toEqual([4, null])
    expect(said.stderr).toBe('ended by SIGINT\n')
    expect(pids.filter(isAlive)).toEqual([])
  })
})

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // no process has this number any more
    return false
  }
}

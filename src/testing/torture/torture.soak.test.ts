import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { reportOf } from '../../drill/report.ts'
import { temporaryFolder } from '../folder.ts'
import { present } from '../present.ts'
import { dockerAbsence } from '../redis-container.ts'
import { torture } from './torture.ts'

const folder = temporaryFolder()
// a new seed each time; `npm run torture -- --seed N` plays its plan again, at length
const seed = 1 + Math.floor(Math.random() * 2 ** 30)

async function dockerOrSkip(skip: (reason: string) => never): Promise<void> {
  const absent = await dockerAbsence()
  present(absent === undefined ? {} : { absent }, skip)
}

describe('three replicas under faults', () => {
  test.for(['http', 'postgres'] as const)(`on store %s keep every promise (seed ${seed})`, async (store, { skip }) => {
    await dockerOrSkip(skip)
    const { verdict, counts } = await torture({
      seed,
      trafficMs: 5_000,
      store,
      lock: 'redis',
      folder: join(folder, store),
      quietMs: 300,
      // the others are for longer runs
      faults: ['replica-kill-after-commit', 'late-packet', 'store-kill', 'lock-server-kill', 'holder-stop'],
      signal: AbortSignal.timeout(120_000),
    })
    // a short run may end before every fault had its turn, or a stale write came
    expect(verdict.kind, reportOf(verdict)).not.toBe('violated')
    expect(verdict.checks['nothing-lost'], reportOf(verdict)).toMatchObject({ kind: 'valid' })
    expect(verdict.checks['stored-once'], reportOf(verdict)).toMatchObject({ kind: 'valid' })
    expect(counts['fault ok']).toBeGreaterThan(0)
    expect(counts['save ok']).toBeGreaterThan(100)
    expect(JSON.parse(readFileSync(join(folder, store, 'verdict.json'), 'utf8'))).toMatchObject({ seed, store })
  })

  test('are found out when they ignore the fence', async ({ skip }) => {
    await dockerOrSkip(skip)
    const { verdict } = await torture({
      seed,
      trafficMs: 4_000,
      store: 'http',
      lock: 'redis',
      folder: join(folder, 'sabotaged'),
      quietMs: 100,
      failpoints: ['lock/ignore-fence'],
      faults: ['late-packet'],
      signal: AbortSignal.timeout(120_000),
    })
    expect(verdict.checks['stored-once'], reportOf(verdict)).toMatchObject({ kind: 'violated' })
    expect(verdict.checks['stored-once']?.counterExamples[0]?.events.length).toBeGreaterThan(1)
  })

  test('end with Ctrl-C, and leave nothing behind', async ({ skip }) => {
    await dockerOrSkip(skip)
    const args = [join(import.meta.dirname, 'command.ts'), '--seed', '3', '--minutes', '5', '--lock', 'redis']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (said += text))
    while (!/:.*\n[a-z-]+: /.test(said)) await once(child.stdout, 'data')
    const pids = childrenOf(child.pid ?? 0)
    expect(pids.length).toBeGreaterThan(5)
    child.kill('SIGINT')
    const [code] = (await once(child, 'exit')) as [number | null]
    expect(code).toBe(4)
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
    // nobody has that number any more
    return false
  }
}

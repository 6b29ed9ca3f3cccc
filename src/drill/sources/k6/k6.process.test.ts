/** Runs real k6 against the real service while the service is killed, and judges the history. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { FailpointName } from '../../../std/failpoint.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import { findK6, type K6 } from '../../../testing/k6.ts'
import { present } from '../../../testing/present.ts'
import { endProcesses, runIngot } from '../../../testing/process.ts'
import { type Service, startService } from '../../../testing/service.ts'
import { freePorts } from '../../../testing/tcp/ports.ts'
import { createRecorder, type Recorder, readHistory } from '../../history.ts'

endProcesses()
const folder = temporaryFolder()
const k6 = findK6()

interface KilledRun {
  readonly data: string
  readonly load: string
  readonly nemesis: string
}

const nowMs = (): number => performance.timeOrigin + performance.now()

/** Runs a load during which the service is killed and started again `kills` times. */
async function runUnderKills(
  tool: K6,
  name: string,
  kills: number,
  failpoints: readonly FailpointName[] = [],
): Promise<KilledRun> {
  const [port = 0] = await freePorts(1)
  const played = {
    data: join(folder, name),
    load: join(folder, `${name}.json`),
    nemesis: join(folder, `${name}.faults`),
  }
  const start = (): Promise<Service> =>
    startService({ data: played.data, env: { INGOT_LISTEN: `127.0.0.1:${port}` }, failpoints })
  let service = await start()
  try {
    const BASE_URL = `http://127.0.0.1:${port}`
    const settings = { BASE_URL, RATE: '40', DURATION: `${4 + 4 * kills}s`, RUN: name, TIMEOUT: '1s' }
    await using run = tool.start('ingest', played.load, { ...settings, ERRORS: '1', P99: '1m' })
    await run.began
    using recorder = createRecorder(played.nemesis, Date.now, nowMs)
    for (let count = 1; count <= kills; count++) {
      await sleep(1_500)
      service = await killAndRestart(recorder, `kill-${count}`, service, start)
    }
    recorder.record({ process: 'nemesis', op: 'healed', f: 'phase', type: 'info', key: 'healed' })
    const { code, printed } = await run.ended
    expect({ code, printed }).toMatchObject({ code: 0 })
    await service.stop()
    return played
  } finally {
    await service.kill()
  }
}

async function killAndRestart(recorder: Recorder, op: string, victim: Service, start: () => Promise<Service>) {
  const base = { process: 'nemesis', op, f: 'fault', key: 'service-kill' } as const
  recorder.record({ ...base, type: 'invoke' })
  const { signal } = await victim.kill()
  const service = await start()
  recorder.record({ ...base, type: 'ok', proof: `process ${victim.pid} ended by ${signal}` })
  return service
}

async function judge({ data, load, nemesis }: KilledRun) {
  const out = `${load}.ndjson`
  const made = await runIngot(['drill', 'history', '--k6', load, '--with', nemesis, '--out', out])
  expect(made).toMatchObject({ code: 0 })
  const { code, stdout } = await runIngot(['check', '--history', out, '--store', `sqlite:${data}`, '--json'])
  const { kind, checks } = JSON.parse(stdout) as {
    kind: string
    checks: Record<string, { kind: string; figures: Record<string, number> }>
  }
  const not = Object.entries(checks).filter(([, check]) => check.kind !== 'valid')
  return { code, kind, checks, not: not.map(([name, check]) => `${name} ${check.kind}`) }
}

test('a service that is killed under load keeps its promises', async ({ skip }) => {
  const verdict = await judge(await runUnderKills(present(k6, skip), 'sound', 1))
  expect(verdict).toMatchObject({ code: 0, kind: 'valid', not: [] })
  expect(verdict.checks['availability']?.figures['failed']).toBeGreaterThan(0)
  expect(verdict.checks['faults-happened']?.figures['service-kill']).toBe(1)
})

test('a service that responds before it commits is detected', async ({ skip }) => {
  const verdict = await judge(await runUnderKills(present(k6, skip), 'early', 4, ['sqlite/answer-before-commit']))
  expect(verdict).toMatchObject({ code: 1, kind: 'violated' })
  expect(verdict.not).toContain('created-once violated')
})

test('a load generator that was killed is inconclusive, and never a violation', async ({ skip }) => {
  const tool = present(k6, skip)
  const data = join(folder, 'cut')
  const load = join(folder, 'cut.json')
  const nemesis = join(folder, 'cut.faults')
  await using service = await startService({ data })
  await using run = tool.start('ingest', load, { BASE_URL: service.url, RATE: '40', DURATION: '30s', RUN: 'cut' })
  await run.began
  await sleep(3_000)
  run.kill()
  expect(await run.ended).toMatchObject({ code: null })
  createRecorder(nemesis, Date.now, nowMs)[Symbol.dispose]()
  await service.stop()
  const verdict = await judge({ data, load, nemesis })
  expect(verdict.kind).toBe('inconclusive')
  expect(verdict.not).toEqual(['load-whole inconclusive', 'recovery inconclusive', 'faults-happened inconclusive'])
  expect(readHistory(`${load}.ndjson`).events.some(({ key }) => key === 'load-cut')).toBe(true)
})

test('a service with default settings passes the smoke test', async ({ skip }) => {
  const tool = present(k6, skip)
  await using service = await startService({ data: join(folder, 'smoke') })
  const run = tool.start('smoke', join(folder, 'smoke.json'), { BASE_URL: service.url })
  const { code, printed } = await run.ended
  expect({ code, printed }).toMatchObject({ code: 0 })
})

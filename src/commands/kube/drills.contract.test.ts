/** The commands about drills on a real API server, whose drills get their status by patches. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { filesOfReport } from '../../drill/report/run/files.ts'
import { jsonOfReport } from '../../drill/report/run/json.ts'
import { createConfigMapReportStore } from '../../drill/report/store/config-map.ts'
import { type DrillFacts, drillStatus } from '../../drill/spec/conditions.ts'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import { DEFINITIONS } from '../../kube/crd/definition.ts'
import { definitions } from '../../operator/installed.ts'
import { systemClock } from '../../std/clock.ts'
import { untilTrue } from '../../std/until.ts'
import { exampleReport } from '../../testing/drill-report.ts'
import { createSink } from '../../testing/http/sink.ts'
import { shareApiServer } from '../../testing/kube/shared-api-server.ts'
import { noSignals } from '../../testing/signals.ts'
import { runLine } from '../line/line.ts'
import { KUBECTL_COMMANDS } from './table.ts'

const NAMESPACES = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
const soon = (): AbortSignal => AbortSignal.timeout(30_000)
const apiServer = shareApiServer()

let api: KubeApi
let count = 0
let namespace = ''

beforeEach(async ({ skip }) => {
  const { kubeconfig } = apiServer(skip)
  vi.stubEnv('KUBECONFIG', kubeconfig)
  api = createKubeApi(createKubeConnection({ clock: systemClock, kubeconfig }))
  for (const definition of definitions('0.1.0')) await api.apply(DEFINITIONS, definition, soon())
  namespace = `drills-${++count}`
  await api.apply(NAMESPACES, { metadata: { name: namespace } }, soon())
  const isServed = async (): Promise<boolean> => {
    await api.list(FAILOVER_DRILLS, { namespace }, soon())
    return true
  }
  await untilTrue('the kind is served', isServed, { withinMs: 30_000 })
})

afterEach(() => void vi.unstubAllEnvs())

/** Runs the command. `out` and `err` return its output so far. */
function start(argv: readonly string[], signal: AbortSignal = soon()) {
  const [stdout, stderr] = [createSink(), createSink()]
  const io = { stdin: Readable.from([]), stdout, stderr, clock: systemClock, signal, takeSignals: noSignals }
  const options = { commands: KUBECTL_COMMANDS, call: 'kubectl ingot', version: '0.1.0', debug: false }
  const code = runLine(argv, io, options)
  return { code, out: () => stdout.text(), err: () => stderr.text() }
}

async function run(argv: readonly string[]) {
  const { code, out, err } = start([...argv, '-n', namespace])
  return { code: await code, out: out(), err: err() }
}

async function createDrill(name: string, spec: object = { scenario: 'D2' }): Promise<void> {
  await api.create(
    FAILOVER_DRILLS,
    { metadata: { name, namespace }, spec: { target: { release: 'ingot' }, ...spec } },
    soon(),
  )
}

async function setStatus(name: string, facts: DrillFacts): Promise<void> {
  const status = drillStatus(facts, [], { generation: 1, wallMs: Date.now() })
  await api.applyStatus(FAILOVER_DRILLS, { metadata: { name, namespace }, status }, soon())
}

const FAULT = { name: 'kill-primary', action: 'Kill', state: 'Injected', struckAt: '2026-03-02T02:14:00Z' } as const
const PROVEN = { ...FAULT, state: 'Proven', provenAt: '2026-03-02T02:14:01Z', proof: 'a new primary' } as const
const SUMMARY = {
  attempted: 100,
  acknowledged: 90,
  indeterminate: 4,
  rejected: 6,
  lost: 0,
  duplicates: 0,
  secondsWithoutWrite: 6.4,
}
const PASSED: DrillFacts = { verdict: 'Pass', message: 'nothing lost', faults: [PROVEN], summary: SUMMARY }

describe('drill list', () => {
  test('shows each drill with its verdict, and a sentence without drills', async () => {
    expect(await run(['drill', 'list'])).toMatchObject({
      code: 0,
      out: `there is no FailoverDrill in namespace ${namespace}\n`,
    })
    await createDrill('new')
    await createDrill('old', { faults: [{ name: 'a', action: 'Kill', target: { component: 'redis' } }] })
    await setStatus('old', PASSED)
    const { code, out } = await run(['drill', 'list'])
    expect(code).toBe(0)
    expect(out).toMatch(/^NAME +RELEASE +SCENARIO +PHASE +VERDICT +LOST +NO WRITE FOR +AGE$/m)
    expect(out).toMatch(/^new +ingot +D2 +Pending +- +- +- +0m$/m)
    expect(out).toMatch(/^old +ingot +own faults +Finished +Pass +0 of 90 +6.4 s +0m$/m)
    const json = await run(['drill', 'list', '-o', 'json'])
    expect(JSON.parse(json.out)).toMatchObject({ kind: 'IngotDrillList', version: 1, drills: [{}, {}] })
  })
})

describe('drill watch', () => {
  test('prints a line for each phase and step, then ends with the verdict', async () => {
    await createDrill('weekly-1')
    const { code, out } = start(['drill', 'watch', 'weekly-1', '-n', namespace])
    const shows = (text: string): Promise<true> =>
      untilTrue(`"${text}" in ${out()}`, async () => out().includes(text), { withinMs: 30_000 })
    await shows('Pending')
    await setStatus('weekly-1', { phase: 'Gate', reason: 'Steadying', message: 'waits for a healthy release' })
    await shows('Gate     Steadying: waits for a healthy release')
    await setStatus('weekly-1', { phase: 'Faults', faults: [FAULT] })
    await shows('fault kill-primary (Kill) Injected')
    await setStatus('weekly-1', { ...PASSED, report: { name: 'weekly-1-report', sha256: 'a'.repeat(64) } })
    expect(await code).toBe(0)
    expect(out().split('\n').slice(-5)).toEqual([
      '         fault kill-primary (Kill) Proven: a new primary',
      'Pass: nothing lost',
      '0 of 90 acknowledged items lost, 6.4 s without a good write',
      `report: kubectl ingot drill report weekly-1 -n ${namespace} --out report.html`,
      '',
    ])
  })

  test.each([
    ['Fail', 1],
    ['Inconclusive', 3],
    ['Aborted', 4],
  ] as const)('of a drill with the verdict %s ends with %i', async (verdict, code) => {
    await createDrill('ended')
    await setStatus('ended', { verdict, message: 'because' })
    expect(await run(['drill', 'watch', 'ended'])).toMatchObject({ code, out: `${verdict}: because\n` })
  })

  test('of a drill that is deleted meanwhile ends with an error', async () => {
    await createDrill('deleted')
    const { code, out, err } = start(['drill', 'watch', 'deleted', '-n', namespace])
    await untilTrue('a first line', async () => out() !== '', { withinMs: 30_000 })
    await api.delete(FAILOVER_DRILLS, { namespace, name: 'deleted' }, soon())
    expect(await code).toBe(2)
    expect(err()).toMatch(/^DRILL_NOT_FOUND: there is no FailoverDrill "deleted"/)
  })

  test('ends with Ctrl-C, and leaves the drill', async () => {
    await createDrill('left')
    const ended = new AbortController()
    const { code, out } = start(['drill', 'watch', 'left', '-n', namespace], ended.signal)
    await untilTrue('a first line', async () => out() !== '', { withinMs: 30_000 })
    ended.abort(new Error('interrupted'))
    expect(await code).toBe(4)
    expect(await api.get(FAILOVER_DRILLS, { namespace, name: 'left' }, soon())).toBeDefined()
  })

  test('-o json prints a line for each change', async () => {
    await createDrill('lines')
    await setStatus('lines', PASSED)
    const { out } = await run(['drill', 'watch', 'lines', '-o', 'json'])
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ verdict: 'Pass' }])
  })
})

describe('drill report', () => {
  const report = exampleReport()

  async function createReported(name: string): Promise<void> {
    await createDrill(name)
    const store = createConfigMapReportStore({ api, namespace })
    const place = await store.save(
      name,
      { of: name, at: report.drill.finishedAt, files: filesOfReport(report) },
      soon(),
    )
    await setStatus(name, { ...PASSED, report: { name: place, sha256: report.history.sha256 } })
  }

  test('prints each form', async () => {
    await createReported('reported')
    const forms = { html: /^<!doctype html>/, md: /^# Pass/, junit: /^<\?xml/, json: /^\{/ }
    for (const [format, form] of Object.entries(forms)) {
      const { code, out } = await run(['drill', 'report', 'reported', '--format', format])
      expect(code).toBe(0)
      expect(out).toMatch(form)
    }
    expect((await run(['drill', 'report', 'reported'])).out).toMatch(forms.md)
    expect((await run(['drill', 'report', 'reported', '--format', 'json'])).out).toBe(jsonOfReport(report))
  })

  test.each([
    ['report.html', /^<!doctype/],
    ['drill.xml', /^<\?xml/],
    ['noending', /^# Pass/],
  ])('writes the file %s in the form of its ending', async (file, form) => {
    await createReported('written')
    const path = join(mkdtempSync(join(tmpdir(), 'drill-report-')), file)
    expect(await run(['drill', 'report', 'written', '--out', path])).toMatchObject({ code: 0, out: '' })
    expect(readFileSync(path, 'utf8')).toMatch(form)
  })

  test('of a drill without one is an error that says why', async () => {
    await createDrill('running')
    const running = await run(['drill', 'report', 'running'])
    expect(running).toMatchObject({ code: 2, out: '' })
    expect(running.err).toMatch(/^DRILL_NOT_FINISHED: drill "running" is in phase Pending/)
    await setStatus('running', { verdict: 'Aborted', message: 'the runner never started' })
    expect((await run(['drill', 'report', 'running'])).err).toMatch(/DRILL_WITHOUT_REPORT.*the runner never started/)
    expect((await run(['drill', 'report', 'nothing'])).err).toMatch(/^DRILL_NOT_FOUND/)
  })

  test('that was deleted from its store is an error', async () => {
    await createDrill('gone')
    await setStatus('gone', { ...PASSED, report: { name: 'gone-report', sha256: 'a'.repeat(64) } })
    expect((await run(['drill', 'report', 'gone'])).err).toMatch(/^DRILL_WITHOUT_REPORT/)
  })

  test('on a volume is named', async () => {
    await createDrill('volume', { scenario: 'D2', report: { store: 'Claim', claimName: 'reports' } })
    await setStatus('volume', { ...PASSED, report: { name: '/reports/volume/report.html', sha256: 'a'.repeat(64) } })
    expect((await run(['drill', 'report', 'volume'])).err).toMatch(/\/reports\/volume\/report\.html .* claim reports/)
  })

  test('refuses another format before it connects', async () => {
    vi.stubEnv('KUBECONFIG', '/nowhere')
    const { code, err } = await run(['drill', 'report', 'any', '--format', 'pdf'])
    expect(code).toBe(2)
    expect(err).toMatch(/--format is "pdf"/)
  })
})

test('a group names its commands', async () => {
  const { code, err } = await run(['drill', 'reprot'])
  expect(code).toBe(2)
  expect(err).toMatch(/did you mean "drill report"/)
})

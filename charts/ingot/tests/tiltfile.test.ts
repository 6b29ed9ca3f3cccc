/**
 * Tests the Tiltfile without Tilt. The file is small enough to be valid Python too, so Python runs it with fakes that
 * record their calls. The test does not check that Tilt knows the options.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FAULT_NAMES } from '../../../src/drill/plan.ts'
import { CHART, chartIn, kinds, pods, renderFile } from './helm.ts'

const ROOT = join(CHART, '..', '..')
const hasPython = spawnSync('python3', ['--version']).status === 0

const RECORDER = `
import json, sys
calls = []
class Stop(Exception): pass
def recorder(name):
    def call(*args, **options):
        calls.append({'name': name, 'args': list(args), 'options': options})
        return name + '()'
    return call
def fail(text): raise Stop(text)
names = ['allow_k8s_contexts', 'docker_build', 'fall_back_on', 'sync', 'k8s_yaml', 'helm', 'blob', 'k8s_resource', 'local_resource']
scope = {name: recorder(name) for name in names}
scope.update(fail=fail, k8s_context=lambda: sys.argv[2], TRIGGER_MODE_MANUAL='manual')
try:
    exec(compile(open(sys.argv[1]).read(), 'Tiltfile', 'exec'), scope)
    print(json.dumps(calls))
except Stop as stop:
    sys.exit(str(stop))
`

interface Call {
  readonly name: string
  readonly args: readonly unknown[]
  readonly options: Readonly<Record<string, unknown>>
}

function run(context: string): { readonly calls: readonly Call[]; readonly refusal: string } {
  const { stdout, stderr } = spawnSync('python3', ['-c', RECORDER, join(ROOT, 'Tiltfile'), context], {
    encoding: 'utf8',
  })
  return { calls: stdout === '' ? [] : (JSON.parse(stdout) as Call[]), refusal: stderr }
}

describe.skipIf(!hasPython)('the Tiltfile', () => {
  const { calls, refusal } = run('kind-ingot')
  const of = (name: string) => calls.filter((call) => call.name === name)

  test('runs', () => {
    expect(refusal).toBe('')
    expect(calls.length).toBeGreaterThan(10)
  })

  test('refuses every context that is not a kind cluster', () => {
    expect(run('production')).toEqual({ calls: [], refusal: expect.stringContaining('no kind cluster') as string })
  })

  test('names files that exist', () => {
    const files = [
      ...of('sync').map(({ args }) => args[0]),
      ...of('fall_back_on').flatMap(({ args }) => args[0]),
      ...of('helm').flatMap(({ args, options }) => [args[0], ...(options['values'] as string[])]),
      'k8s/tilt/secrets.yaml',
    ]
    expect(files.length).toBeGreaterThan(5)
    expect(files.filter((file) => !existsSync(join(ROOT, String(file))))).toEqual([])
  })

  const tilt = (file: string): string => join(ROOT, 'k8s', 'tilt', file)
  const manifests = [
    ...renderFile(tilt('values.yaml')),
    ...chartIn(join(ROOT, 'charts', 'ingot-operator'), 'ingot-operator').renderFile(tilt('operator-values.yaml')),
  ]

  test('forwards and groups the objects that the charts render', () => {
    const made = [...kinds(manifests, 'Deployment'), ...kinds(manifests, 'StatefulSet')]
    const named = of('k8s_resource').flatMap(({ args }) => args)
    expect(new Set(named)).toEqual(new Set(made))
    // a password that the chart generates would change with each rendering
    expect(kinds(manifests, 'Secret')).toEqual([])
  })

  test('orders objects that the charts render', () => {
    const made = manifests.map(({ kind, metadata }) => `${metadata.name}:${kind.toLowerCase()}`)
    const ordered = of('k8s_resource').flatMap(({ options }) => (options['objects'] ?? []) as readonly string[])
    expect(ordered).toHaveLength(2)
    for (const one of ordered) expect(made).toContain(one)
  })

  test('builds an image for each command of ingot that a chart runs', () => {
    const built = of('docker_build').map(({ args, options }) => [args[0], options['container_args']])
    const started = manifests
      .filter(({ kind }) => kind === 'Deployment')
      .flatMap((manifest) => pods([manifest]))
      .map(
        ({
          spec: {
            containers: [container],
          },
        }) => [container?.image.split(':')[0], container?.args],
      )
    expect(built).toHaveLength(2)
    expect(new Map(built as [unknown, unknown][])).toEqual(new Map(started as [unknown, unknown][]))
  })

  test('has buttons for existing drills', () => {
    const faults = of('local_resource').map(({ args }) => / --fault (\S+)$/.exec(String(args[1]))?.[1])
    expect(faults.length).toBeGreaterThan(3)
    for (const fault of faults) expect(FAULT_NAMES).toContain(fault)
  })
})

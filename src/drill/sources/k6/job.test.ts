import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../testing/folder.ts'
import { ROOT } from '../../checkout.ts'
import { loadManifests } from './job.ts'
import { readScripts } from './scripts.ts'

const files = readScripts(ROOT)
const [configMap, job] = loadManifests({
  name: 'load',
  namespace: 'n',
  release: 'r',
  image: 'ingot:dev',
  k6Image: 'grafana/k6:1.8.1',
  script: 'ingest',
  env: { RUN: 'one', RATE: '50' },
  files,
  tokenSecret: 'secret',
})

const CONTAINER = Type.Object({
  env: Type.Array(Type.Object({ name: Type.String(), value: Type.Optional(Type.String()) })),
  securityContext: Type.Object({ readOnlyRootFilesystem: Type.Literal(true) }),
  resources: Type.Object({ requests: Type.Object({ cpu: Type.String(), memory: Type.String() }) }),
})
const JOB = Type.Object({
  spec: Type.Object({
    backoffLimit: Type.Literal(0),
    template: Type.Object({
      spec: Type.Object({
        restartPolicy: Type.Literal('Never'),
        automountServiceAccountToken: Type.Literal(false),
        initContainers: Type.Tuple([CONTAINER]),
        containers: Type.Tuple([CONTAINER]),
        volumes: Type.Array(
          Type.Object({
            configMap: Type.Optional(
              Type.Object({ items: Type.Array(Type.Object({ key: Type.String(), path: Type.String() })) }),
            ),
          }),
        ),
      }),
    }),
  }),
})

test('every file of the load test is mounted from the ConfigMap under its own path', () => {
  const { spec } = Value.Parse(JOB, job).spec.template
  const items = spec.volumes.flatMap((volume) => volume.configMap?.items ?? [])
  expect(items.map(({ path }) => path)).toEqual(Object.keys(files))
  const data = Value.Parse(Type.Object({ data: Type.Record(Type.String(), Type.String()) }), configMap).data
  expect(Object.keys(data)).toEqual(items.map(({ key }) => key))
  for (const { key, path } of items) expect(data[key]).toBe(files[path])
  expect(Object.keys(data).every((key) => /^[\w.-]+$/.test(key))).toBe(true)
})

test('the files include every import of the scripts', () => {
  for (const [path, text] of Object.entries(files)) {
    const imports = [...text.matchAll(/^(?:import|export) (?!type\b).*from '(\.[^']+)'/gm)].map(([, name = '']) => name)
    for (const name of imports) expect(Object.keys(files)).toContain(join(path, '..', name))
  }
})

test('settings and the token reach k6', () => {
  const [k6] = Value.Parse(JOB, job).spec.template.spec.initContainers
  const env = Object.fromEntries(k6.env.map(({ name, value }) => [name, value]))
  expect(env).toMatchObject({ SCRIPT: 'ingest', RUN: 'one', RATE: '50', TOKEN: undefined })
})

test('a folder without load tests is refused', () => {
  expect(() => readScripts(import.meta.dirname)).toThrow(/run this in a checkout of ingot/)
})

const FOLDER = temporaryFolder()

/** Runs the command of the container with a k6 that prints its arguments. Returns them. */
function argumentsOfK6(env: Readonly<Record<string, string>>): string {
  const out = FOLDER
  writeFileSync(join(out, 'k6'), '#!/bin/sh\necho "$@"\n')
  chmodSync(join(out, 'k6'), 0o755)
  const [k6] = Value.Parse(JOB, job).spec.template.spec.initContainers
  const [, , script = ''] = Value.Parse(Type.Object({ command: Type.Array(Type.String()) }), k6).command
  const path = `${out}:${process.env['PATH'] ?? ''}`
  spawnSync('sh', ['-c', script.replaceAll('/out/', `${out}/`)], { env: { PATH: path, SCRIPT: 'ingest', ...env } })
  return readFileSync(join(out, 'k6.log'), 'utf8').replaceAll(`${out}/`, '/out/').trim()
}

test('k6 sends its metrics to a Prometheus only if it gets an address', () => {
  const script = '/scripts/loadtests/ingest.ts'
  expect(argumentsOfK6({})).toBe(`run --out json=/out/k6.json ${script}`)
  expect(argumentsOfK6({ K6_PROMETHEUS_RW_SERVER_URL: '' })).toBe(`run --out json=/out/k6.json ${script}`)
  const url = 'http://prometheus.monitoring:9090/api/v1/write'
  expect(argumentsOfK6({ K6_PROMETHEUS_RW_SERVER_URL: url })).toBe(
    `run --out json=/out/k6.json --out experimental-prometheus-rw ${script}`,
  )
})

/** A release with an operator on the kind cluster, and drills on it from a shell and as resources. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { ROOT } from '../../../../src/drill/checkout.ts'
import type { DrillStatus } from '../../../../src/drill/spec/status.ts'
import {
  CONTEXT,
  createObject,
  everythingReady,
  IMAGE_TAG,
  install,
  installOperator,
  kubectl,
  NAMESPACE,
  prepareNamespace,
  remove,
  removeOperator,
  type Values,
} from './cluster.ts'

const CLI = join(ROOT, 'src', 'cli.ts')
const folder = mkdtempSync(join(tmpdir(), 'drills-'))

/** The deployment of Redis: `sentinel` or `cluster`. */
export const MODE = process.env['DRILL_MODE'] ?? 'sentinel'

/** Installs the operator and a release that allows drills before the tests of a file, and removes them after. */
export function drillRelease(values: Values = {}): void {
  beforeAll(async () => {
    await prepareNamespace()
    await remove()
    await kubectl(['label', 'namespace', NAMESPACE, 'ingot.dev/drills=allowed', '--overwrite'])
    await installOperator()
    await install({
      'redis.mode': MODE,
      'redis.sentinel.hardAntiAffinity': false,
      'redis.sentinel.downAfterMs': 5_000,
      'service.replicas': 3,
      'drills.enabled': true,
      ...values,
    })
  })

  afterAll(async () => {
    await kubectl(['delete', 'failoverdrill', '--all', '--timeout=60s'])
    await remove()
    await removeOperator()
    rmSync(folder, { recursive: true, force: true })
  })
}

export interface Ran {
  readonly code: number
  readonly text: string
}

/** Runs a command of the kubectl plugin. Resolves with its exit code and output. */
export async function plugin(...args: readonly string[]): Promise<Ran> {
  const line = [CLI, 'kube', 'drill', ...args, '-n', NAMESPACE, '--context', CONTEXT]
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      line,
      { cwd: folder, timeout: 500_000, maxBuffer: 64 * 2 ** 20 },
      (failure, stdout, stderr) => {
        const code = failure === null ? 0 : Number(failure.code ?? 1)
        resolve({ code, text: code === 0 ? stdout : `${stdout}${stderr}` })
      },
    )
  })
}

export async function statusOf(name: string): Promise<DrillStatus> {
  const text = await kubectl(['get', 'failoverdrill', name, '--output=jsonpath={.status}'])
  return (text === '' ? {} : JSON.parse(text)) as DrillStatus
}

/** Creates a drill. */
export async function start(name: string, spec: object): Promise<void> {
  const drill = { apiVersion: 'ingot.dev/v1alpha1', kind: 'FailoverDrill', metadata: { name }, spec }
  await createObject(drill)
}

/** Resolves with the status of a drill that has ended. */
export async function finished(name: string): Promise<DrillStatus> {
  await kubectl(['wait', '--for=condition=Finished', `failoverdrill/${name}`, '--timeout=480s'], 490)
  return statusOf(name)
}

/** Nothing of a drill is left but its resource and its report. */
export async function expectNothingLeft(): Promise<void> {
  await everythingReady(240)
  expect(await kubectl(['get', 'pods', '--selector=ingot.dev/isolated', '--output=name'])).toBe('')
  const policies = await kubectl(['get', 'networkpolicy', '--output=name'])
  expect(policies.split('\n').filter((name) => name.includes('ingot-drill-'))).toEqual([])
}

/** Saves 20 items a second into another collection, as another client of the release. It ends by itself. */
const BYSTANDER = `
const end = Date.now() + 600_000
for (let n = 0; Date.now() < end; n++) {
  const body = JSON.stringify({ n, at: Date.now() })
  const headers = { 'content-type': 'application/json' }
  fetch('http://ingot/v1/collections/other/items', { method: 'POST', headers, body, signal: AbortSignal.timeout(5_000) })
    .then((response) => response.text(), () => undefined)
  await new Promise((resolve) => setTimeout(resolve, 50))
}`

/** Resolves when another client sends its requests. The returned function removes it. */
export async function startBystander(): Promise<() => Promise<void>> {
  const name = 'outside-bystander'
  const container = {
    name: 'client',
    image: `ingot:${IMAGE_TAG}`,
    command: ['node', '--input-type=module', '--eval', BYSTANDER],
    resources: { limits: { cpu: '250m', memory: '128Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  }
  const spec = {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsNonRoot: true, runAsUser: 1_000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container],
  }
  await createObject({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })
  await kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s'], 70)
  return async () => void (await kubectl(['delete', 'pod', name, '--grace-period=1', '--ignore-not-found']))
}

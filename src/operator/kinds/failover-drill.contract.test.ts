/** The schema and the rules of FailoverDrill, as a real API server applies them. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { drillStatus } from '../../drill/spec/conditions.ts'
import { type KindServer, messagesOf, type RefusedSpec, startKindServer } from '../../testing/kube/kind-rules.ts'
import { type Absent, present } from '../../testing/present.ts'
import { FAILOVER_DRILL, FAILOVER_DRILL_SPEC } from './failover-drill.ts'

const target = { release: 'shop' }
const KILL = { name: 'kill', action: 'Kill', target: { component: 'redis', role: 'primary' } }
const OWN = { target, faults: [KILL] }
const faultWith = (more: object): object => ({ target, faults: [{ ...KILL, ...more }] })
const reportWith = (report: object): object => ({ target, scenario: 'D1', report })
const manifest = {
  apiVersion: 'chaos-mesh.org/v1alpha1',
  kind: 'NetworkChaos',
  metadata: { name: 'x' },
  spec: { a: 1 },
}

const VALID: Readonly<Record<string, object>> = {
  'a scenario': { target, scenario: 'D12' },
  'own faults': {
    ...OWN,
    load: { kind: 'K6', rate: 20, timeout: '700ms', token: { secretName: 'token' } },
    gate: { steadyFor: '10s', timeout: '5m' },
    criteria: { lostItems: 0, unavailable: '30s', errors: { READONLY: { max: 3, within: '10s' } } },
    abort: { errorRate: 50, for: '60s', bystanders: { errors: 5 } },
    safety: { maxPods: 2, maxNodes: 0, keepMajority: true },
    report: { store: 'Bucket', bucket: { url: 'https://s3.example/drills', secretName: 'keys' } },
    dryRun: true,
  },
  'a foreign manifest': { target, faults: [{ name: 'foreign', action: 'Manifest', manifest }] },
  'an external fault': { target, faults: [{ name: 'other', action: 'External', external: { node: 'worker-1' } }] },
}

const REFUSED: Readonly<Record<string, RefusedSpec>> = {
  'neither scenario nor faults': { says: 'write exactly one of scenario and faults', spec: { target } },
  'scenario and faults': { says: 'write exactly one of scenario and faults', spec: { ...OWN, scenario: 'D1' } },
  'two faults of one name': { says: 'two faults have the same name', spec: { target, faults: [KILL, KILL] } },
  'a duration of two hours': { says: 'write a duration up to an hour', spec: faultWith({ hold: '120m' }) },
  'a duration without a unit': { says: 'write a duration up to an hour', spec: faultWith({ after: '30' }) },
  'a role of a Sentinel': {
    says: 'only pods of component redis have a role',
    spec: faultWith({ target: { component: 'sentinel', role: 'primary' } }),
  },
  'a fault without a target': {
    says: 'name the target of the fault',
    spec: { target, faults: [{ name: 'a', action: 'Kill' }] },
  },
  'Scale without replicas': { says: 'Scale needs replicas', spec: faultWith({ action: 'Scale' }) },
  'replicas of a kill': { says: 'replicas is only for', spec: faultWith({ replicas: 1 }) },
  'an image of a kill': { says: 'image is only for', spec: faultWith({ image: 'redis:8' }) },
  'a manifest of a kill': { says: 'the action Manifest needs', spec: faultWith({ manifest }) },
  'external of a kill': { says: 'external is only for', spec: faultWith({ external: { node: 'worker-1' } }) },
  'External without external': {
    says: 'External needs a target',
    spec: { target, faults: [{ name: 'a', action: 'External' }] },
  },
  'an empty external': {
    says: 'External needs a target',
    spec: { target, faults: [{ name: 'a', action: 'External', external: {} }] },
  },
  'a crash of the service': {
    says: 'Crash and Stall are commands of Redis',
    spec: faultWith({ action: 'Crash', target: { component: 'service' } }),
  },
  'an odd rate': { says: 'the rate is an even number', spec: { ...OWN, load: { rate: 21 } } },
  'a claim without a name': { says: 'the store Claim needs claimName', spec: reportWith({ store: 'Claim' }) },
  'a bucket without an address': { says: 'the store Bucket needs bucket', spec: reportWith({ store: 'Bucket' }) },
  'another release': { says: 'a drill keeps its spec', before: OWN, spec: { ...OWN, target: { release: 'other' } } },
  'other faults': { says: 'a drill keeps its spec', before: OWN, spec: faultWith({ action: 'Delete' }) },
  'criteria that were added': {
    says: 'a drill keeps its spec',
    before: OWN,
    spec: { ...OWN, criteria: { lostItems: 9 } },
  },
  'a cancel that is taken back': {
    says: 'a cancelled drill stays cancelled',
    before: { ...OWN, cancel: true },
    spec: { ...OWN, cancel: false },
  },
  'an unknown scenario': { says: 'Unsupported value: "D13"', spec: { target, scenario: 'D13' } },
  'a manifest without a kind': {
    says: 'manifest.kind: Required value',
    spec: { target, faults: [{ name: 'a', action: 'Manifest', manifest: { spec: {} } }] },
  },
  'seventeen faults': {
    says: 'Too many: 17',
    spec: { target, faults: Array.from({ length: 17 }, (_, n) => ({ ...KILL, name: `kill-${n}` })) },
  },
}

let server: KindServer | Absent

beforeAll(async () => {
  server = await startKindServer(FAILOVER_DRILL)
})
beforeEach(({ skip }) => void present(server, skip))
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

test.each(Object.entries(VALID))('accepts %s', async (_what, spec) => {
  if ('absent' in server) return
  const created = await server.apply(spec)
  expect(created['spec']).toMatchObject(spec)
})

test.each(Object.entries(REFUSED))('refuses %s', async (_what, { says, spec, before }) => {
  if ('absent' in server) return
  const attempt = server.apply(spec, before)
  await expect(attempt).rejects.toMatchObject({ code: 'KUBE_INVALID' })
  await expect(attempt).rejects.toThrow(says)
})

test('every rule has a drill that it refuses', () => {
  const messages = messagesOf(FAILOVER_DRILL_SPEC)
  expect(messages.length).toBeGreaterThan(12)
  const refused = Object.values(REFUSED).map(({ says }) => says)
  expect(messages.filter((message) => !refused.some((says) => message.startsWith(says)))).toEqual([])
})

test('accepts cancel of a drill, and the same spec again', async () => {
  if ('absent' in server) return
  for (const spec of Object.values(VALID)) {
    const cancelled = await server.apply({ ...spec, cancel: true }, spec)
    expect(cancelled['spec']).toMatchObject({ cancel: true })
  }
})

test('keeps a complete status', async () => {
  if ('absent' in server) return
  const status = drillStatus(
    {
      phase: 'Faults',
      job: 'one-run',
      startedAt: '2026-01-02T03:04:05Z',
      summary: { attempted: 3, acknowledged: 2, indeterminate: 1, rejected: 0, secondsWithoutWrite: 1.5 },
      faults: [{ name: 'kill', action: 'Kill', state: 'Injected', struckAt: '2026-01-02T03:04:06Z', victims: ['a'] }],
      undo: [{ id: '1', fault: 'kill', kind: 'DeleteObject', args: { name: 'x' } }],
      report: { name: 'one-report', sha256: 'a'.repeat(64) },
    },
    [],
    { generation: 1, wallMs: Date.UTC(2026, 0, 2) },
  )
  expect(await server.writeStatus(OWN, status)).toEqual(status)
})

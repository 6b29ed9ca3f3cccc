/** Reading a release from a real API server. */
import { describe, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../kube/client/api.ts'
import { createKubeConnection } from '../kube/client/connection.ts'
import type { KubeObject, Resource } from '../kube/client/resource.ts'
import { DEFINITIONS } from '../kube/crd/definition.ts'
import { LEASES } from '../kube/runtime/leadership-term.ts'
import { definitions } from '../operator/installed.ts'
import { systemClock } from '../std/clock.ts'
import { untilTrue } from '../std/until.ts'
import { NAMESPACE, RELEASE, releaseObjects } from '../testing/inspect/release.ts'
import { shareApiServer } from '../testing/kube/shared-api-server.ts'
import { type Facts, valueOr } from './facts.ts'
import { HANDOVER_ANNOTATION } from './handover/request.ts'
import { requestHandover } from './handover/run.ts'
import { KINDS, SECRETS, TOPOLOGIES } from './kinds.ts'
import { operatorPresence } from './operator-presence.ts'
import { readFacts } from './read.ts'
import { chooseRelease } from './release.ts'
import { statusReport } from './status/judge.ts'

const soon = (): AbortSignal => AbortSignal.timeout(30_000)
const NAMESPACES: Resource = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
/** Pods need a node, so the test leaves them out. */
const CREATED: readonly Resource[] = [
  KINDS.deployments,
  KINDS.statefulSets,
  KINDS.services,
  KINDS.configMaps,
  KINDS.budgets,
  KINDS.networkPolicies,
  KINDS.claims,
  SECRETS,
  LEASES,
]

function clean({ metadata, status: _status, ...object }: KubeObject): KubeObject {
  const { uid: _uid, resourceVersion: _version, ...rest } = metadata
  return {
    ...object,
    metadata: Object.fromEntries(Object.entries(rest).filter(([name]) => name !== 'managedFields')) as typeof rest,
  }
}

async function create(api: KubeApi): Promise<void> {
  for (const name of [NAMESPACE, 'ingot-system']) await api.apply(NAMESPACES, { metadata: { name } }, soon())
  const { items } = releaseObjects('sentinel')
  for (const resource of CREATED) {
    for (const item of items) if (item.kind === resource.kind) await api.apply(resource, clean(item), soon())
  }
}

async function createTopology(api: KubeApi): Promise<void> {
  for (const definition of definitions('0.1.0')) await api.apply(DEFINITIONS, definition, soon())
  const topology = releaseObjects('sentinel').get('RedisTopology', 'ingot-redis')
  const apply = () => api.apply(TOPOLOGIES, clean(topology), soon())
  await untilTrue('the kind to be served', async () => (await apply()).metadata.uid !== undefined, {
    withinMs: 30_000,
  })
  const { namespace = '', name } = topology.metadata
  await api.applyStatus(TOPOLOGIES, { metadata: { namespace, name }, status: topology['status'] }, soon())
}

/** Plays the operator: reports the request as done, in the status that the real schema allows. */
async function handOver(api: KubeApi, facts: Facts): Promise<unknown> {
  const renewTime = new Date(facts.nowMs).toISOString()
  const lease = { metadata: { name: 'ingot-operator' }, spec: { holderIdentity: 'one', renewTime } }
  const leading: Facts = { ...facts, leases: { kind: 'read', value: [lease] } }
  let carriedOut: Promise<unknown> = Promise.resolve()
  const report = await requestHandover(leading, {
    api,
    clock: systemClock,
    timeoutMs: 20_000,
    pod: 'ingot-redis-1',
    onRequested({ id }, name) {
      const at = { namespace: NAMESPACE, name }
      const lastFailover = { at: renewTime, from: 'ingot-redis-0', to: 'ingot-redis-1', planned: true, writeGapMs: 90 }
      const handover = { request: id, phase: 'Done', message: 'handed over' }
      const status = { handover, lastFailover: { ...lastFailover, reason: 'HandOver' } }
      carriedOut = api.get(TOPOLOGIES, at, soon()).then((topology) => {
        expect(topology?.metadata.annotations?.[HANDOVER_ANNOTATION]).toBe(`${id}/ingot-redis-1`)
        return api.applyStatus(TOPOLOGIES, { metadata: at, status }, soon())
      })
    },
    signal: soon(),
  })
  await carriedOut
  return report
}

describe('on a real API server', () => {
  const apiServer = shareApiServer()

  test('first without the kind RedisTopology, then with it', async ({ skip }) => {
    using connection = createKubeConnection({ clock: systemClock, kubeconfig: apiServer(skip).kubeconfig })
    const api = createKubeApi(connection)
    await create(api)
    expect(await chooseRelease(api, { namespace: NAMESPACE, named: undefined }, soon())).toBe(RELEASE)
    const options = { api, namespace: NAMESPACE, release: RELEASE, version: '0.1.0', clock: systemClock } as const
    const before = await readFacts({ ...options, depth: 'all', signal: soon() })
    expect(before.topologies).toEqual({ kind: 'read', value: undefined })
    expect(before.definition).toEqual({ kind: 'read', value: undefined })
    expect(valueOr(before.objects.deployments, []).map(({ metadata }) => metadata.name)).toEqual(['ingot'])
    expect(valueOr(before.operators, []).map(({ metadata }) => metadata.name)).toEqual(['ingot-operator'])
    expect(before.secrets.map(({ name, secret }) => [name, secret.kind])).toEqual([
      ['ingot-postgres', 'read'],
      ['ingot-redis', 'read'],
      ['ingot-redis-tls', 'read'],
      ['ingot-token', 'read'],
    ])
    // the Lease of the release was renewed long ago
    expect(operatorPresence(before)).toMatchObject({ kind: 'stale', namespace: 'ingot-system' })
    await createTopology(api)
    const after = await readFacts({ ...options, depth: 'status', signal: soon() })
    const { redis, problems, healthy } = statusReport(after)
    expect(redis).toMatchObject({
      source: 'RedisTopology',
      primaries: [{ pod: 'ingot-redis-0' }],
      sentinels: { agreed: 3, quorum: 2 },
      lastFailover: { to: 'ingot-redis-0', writeGapMs: 120 },
    })
    expect(healthy).toBe(false)
    expect(problems).toContain('the service has 0 of 3 pods ready')
    expect(await handOver(api, after)).toMatchObject({ outcome: 'Done', message: 'handed over', to: 'ingot-redis-1' })
  })
})

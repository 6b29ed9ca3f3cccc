/** Checks of the operator: whether one is at work, whether several are, and what it may do. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { type Facts, mainContainer, objectsOf, valueOr } from '../facts.ts'
import { at, isTrueAt, listAt, numberAt, textAt } from '../json.ts'
import { OPERATOR, operatorPresence, presenceOf } from '../operator-presence.ts'
import { selects } from '../selector.ts'
import { versionOf } from '../status/service.ts'
import { conditionsOf, modeOf, redisSet, topologyOf } from '../topology.ts'
import { type Check, type Seen, seenIf } from './check.ts'

/** The annotation of the definitions with the version of ingot that made them. */
const VERSION_ANNOTATION = 'ingot.dev/crd-version'

const topologySubject = (topology: KubeObject): string => `redistopology/${topology.metadata.name}`

function ofTopology(facts: Facts, see: (topology: KubeObject) => readonly Seen[]): readonly Seen[] {
  const topology = topologyOf(facts)
  return topology === undefined ? [] : see(topology)
}

const isOlder = (version: string, than: string): boolean => version.localeCompare(than, 'en', { numeric: true }) < 0

function versionsSeen(facts: Facts): readonly Seen[] {
  const definition = valueOr(facts.definition, undefined)
  const installed = definition?.metadata.annotations?.[VERSION_ANNOTATION] ?? '0.0.0'
  if (definition === undefined) return []
  return valueOr(facts.operators, []).flatMap((operator) => {
    const own =
      operator.metadata.labels?.['app.kubernetes.io/version'] ?? versionOf(textAt(mainContainer(operator), 'image'))
    if (!/^\d+\.\d+\.\d+/.test(own)) return []
    const subject = `deployment/${operator.metadata.name} in ${operator.metadata.namespace}`
    return [
      ...seenIf(isOlder(own, installed), subject, `it is ${own}, older than its definitions ${installed}`),
      ...seenIf(isOlder(installed, own), subject, `it is ${own}, newer than its definitions ${installed}`),
    ]
  })
}

/** An operator with `--namespaces` leaves other namespaces alone. */
function isFor(namespace: string, operator: KubeObject): boolean {
  const args = listAt(mainContainer(operator), 'args').map(String)
  const index = args.findIndex((arg) => arg.startsWith('--namespaces'))
  if (index === -1) return true
  const [, inline] = (args[index] ?? '').split('=')
  return (inline ?? args[index + 1] ?? '').split(',').includes(namespace)
}

function severalSeen(facts: Facts): readonly Seen[] {
  const leading = valueOr(facts.leases, []).filter((lease) => presenceOf(lease, facts.nowMs).kind === 'leading')
  const operators = valueOr(facts.operators, [])
  const here = leading.filter((lease) => {
    const own = operators.filter(({ metadata }) => metadata.namespace === lease.metadata.namespace)
    return own.length === 0 || own.some((operator) => isFor(facts.namespace, operator))
  })
  const namespaces = here.map(({ metadata }) => metadata.namespace).join(', ')
  return seenIf(here.length > 1, `lease/${OPERATOR}`, `operators lead in several namespaces: ${namespaces}`)
}

/** A policy without `from` admits all; one without an `ingress` list admits none. */
function admitsOperator(policy: KubeObject, namespace: string): boolean {
  return listAt(policy, 'spec', 'ingress').some((rule) => {
    const peers = listAt(rule, 'from')
    return peers.length === 0 || peers.some((peer) => isOperator(peer, namespace))
  })
}

function isOperator(peer: unknown, namespace: string): boolean {
  const spaces = at(peer, 'namespaceSelector')
  const pods = at(peer, 'podSelector')
  if (spaces === undefined) return false
  const isThere = selects(spaces, { 'kubernetes.io/metadata.name': namespace })
  return isThere && (pods === undefined || selects(pods, { 'app.kubernetes.io/name': OPERATOR }))
}

function admissionSeen(facts: Facts): readonly Seen[] {
  const presence = operatorPresence(facts)
  if (!('namespace' in presence) || presence.namespace === facts.namespace) return []
  return ['redis', 'sentinel'].flatMap((component) => {
    const labels = objectsOf(facts, 'pods').find(
      ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === component,
    )?.metadata.labels
    if (labels === undefined) return []
    const policies = objectsOf(facts, 'networkPolicies').filter((policy) => {
      const types = listAt(policy, 'spec', 'policyTypes')
      return types.includes('Ingress') && selects(at(policy, 'spec', 'podSelector'), labels)
    })
    const isAdmitted = policies.length === 0 || policies.some((policy) => admitsOperator(policy, presence.namespace))
    const seen = `no NetworkPolicy admits the operator of namespace ${presence.namespace}`
    return seenIf(!isAdmitted, `the pods of ${component}`, seen)
  })
}

export const OPERATOR_CHECKS: readonly Check[] = [
  {
    code: 'OPERATOR_ABSENT',
    severity: 'error',
    needs: ['leases', 'topologies', 'statefulSets'],
    remedy: 'install the operator (docs/operator.md), or delete the RedisTopology: its status is not maintained',
    find: (facts) =>
      ofTopology(facts, (topology) =>
        seenIf(operatorPresence(facts).kind === 'absent', topologySubject(topology), 'there is no operator'),
      ),
  },
  {
    code: 'OPERATOR_LEASE_STALE',
    severity: 'error',
    needs: ['leases', 'topologies', 'statefulSets'],
    remedy: 'look at the pods of the operator: it has ended, or it cannot reach the API server',
    find: (facts) =>
      ofTopology(facts, (topology) => {
        const presence = operatorPresence(facts)
        const seen = `the Lease ${OPERATOR} is not renewed`
        return seenIf(presence.kind === 'stale', topologySubject(topology), seen)
      }),
  },
  {
    code: 'OPERATOR_VERSION_DIFFERS',
    severity: 'error',
    needs: ['operators', 'definition'],
    remedy: 'upgrade operator and definitions together: helm upgrade of charts/ingot-operator (docs/operator.md)',
    find: versionsSeen,
  },
  {
    code: 'SEVERAL_OPERATORS',
    severity: 'error',
    needs: ['leases', 'operators'],
    remedy: 'they do not elect a leader among each other: remove one, or separate them by --namespaces',
    find: severalSeen,
  },
  {
    code: 'OPERATOR_FORBIDDEN',
    severity: 'error',
    needs: ['topologies', 'statefulSets'],
    remedy:
      'bind the Role of the release to the ServiceAccount of the operator: operator.namespace, operator.serviceAccount',
    find: (facts) =>
      ofTopology(facts, (topology) =>
        conditionsOf(topology)
          .filter(({ reason }) => reason.endsWith('Forbidden'))
          .map(({ reason, message }) => ({ subject: topologySubject(topology), seen: `${reason}: ${message}` })),
      ),
  },
  {
    code: 'TOPOLOGY_STALLED',
    severity: 'error',
    needs: ['topologies', 'statefulSets'],
    remedy: 'do what the message says; the operator tries again by itself',
    find: (facts) =>
      ofTopology(facts, (topology) =>
        conditionsOf(topology)
          .filter(
            ({ type, status, reason }) => type === 'Stalled' && status === 'True' && !reason.endsWith('Forbidden'),
          )
          .map(({ reason, message }) => ({ subject: topologySubject(topology), seen: `${reason}: ${message}` })),
      ),
  },
  {
    code: 'TOPOLOGY_STATUS_OLD',
    severity: 'warning',
    needs: ['topologies', 'statefulSets'],
    remedy: 'wait for a minute; if it stays, read the log of the operator',
    find: (facts) =>
      ofTopology(facts, (topology) => {
        const { generation = 0 } = topology.metadata
        const observed = numberAt(topology, 'status', 'observedGeneration') ?? 0
        const seen = `its status is of generation ${observed}, its spec of ${generation}`
        return seenIf(observed < generation, topologySubject(topology), seen)
      }),
  },
  {
    code: 'TOPOLOGY_PAUSED',
    severity: 'warning',
    needs: ['topologies', 'statefulSets'],
    remedy: 'set operator.paused=false when the maintenance is done: nothing is healed until then',
    find: (facts) =>
      ofTopology(facts, (topology) =>
        seenIf(isTrueAt(topology, 'spec', 'paused'), topologySubject(topology), 'it is paused'),
      ),
  },
  {
    code: 'TOPOLOGY_MISSING',
    severity: 'warning',
    needs: ['leases', 'topologies', 'statefulSets'],
    remedy: 'upgrade the release with operator.resources=auto, so that the operator sees its Redis',
    find: (facts) =>
      seenIf(
        operatorPresence(facts).kind === 'leading' && modeOf(facts) !== 'external' && topologyOf(facts) === undefined,
        `statefulset/${redisSet(facts)?.metadata.name}`,
        'an operator is at work, and no RedisTopology names this StatefulSet',
      ),
  },
  {
    code: 'OPERATOR_NOT_ADMITTED',
    severity: 'error',
    needs: ['networkPolicies', 'pods', 'leases'],
    remedy: 'upgrade the release with operator.resources=auto and operator.namespace set to that namespace',
    find: admissionSeen,
  },
]

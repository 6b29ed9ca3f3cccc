/** Checks of the Secrets: whether they exist, have their keys, and changed under running pods. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { containersOf, type Facts, livePods, objectsOf, valueOr } from '../facts.ts'
import { at, isTrueAt, listAt, textAt, textsAt, timeAt } from '../json.ts'
import { topologyOf } from '../topology.ts'
import { type Check, type Seen, seenIf } from './check.ts'

/** The key with the password of the user `operator`. */
const OPERATOR_KEY = 'operator-password'

function secretOf({ secrets }: Facts, name: string): KubeObject | undefined {
  const found = secrets.find((one) => one.name === name)
  return found === undefined ? undefined : valueOr(found.secret, undefined)
}

interface Reference {
  readonly secret: string
  readonly key: string
}

/** Returns the keys that the pods of a workload need to start. */
function referencesOf(workload: KubeObject): readonly Reference[] {
  const variables = containersOf(workload).flatMap((container) => listAt(container, 'env'))
  const ofVariables = variables
    .map((one) => at(one, 'valueFrom', 'secretKeyRef'))
    .filter((one) => textAt(one, 'name') !== '' && !isTrueAt(one, 'optional'))
    .map((one) => ({ secret: textAt(one, 'name'), key: textAt(one, 'key') }))
  const volumes = listAt(workload, 'spec', 'template', 'spec', 'volumes')
  const projected = volumes.flatMap((volume) => listAt(volume, 'projected', 'sources'))
  const ofVolumes = [...volumes, ...projected]
    .map((volume) => at(volume, 'secret'))
    .filter((one) => one !== undefined && !isTrueAt(one, 'optional'))
    .flatMap((one) => {
      const secret = textAt(one, 'secretName') || textAt(one, 'name')
      return listAt(one, 'items').map((item) => ({ secret, key: textAt(item, 'key') }))
    })
  return [...ofVariables, ...ofVolumes]
}

function missingKeys(facts: Facts): readonly Seen[] {
  const workloads = [...objectsOf(facts, 'deployments'), ...objectsOf(facts, 'statefulSets')]
  const missing = workloads.flatMap(referencesOf).filter(({ secret, key }) => {
    const found = secretOf(facts, secret)
    return found !== undefined && textsAt(found, 'data')[key] === undefined
  })
  const lines = new Set(missing.map(({ secret, key }) => `${secret}\n${key}`))
  return [...lines].map((line) => {
    const [secret = '', key = ''] = line.split('\n')
    return { subject: `secret/${secret}`, seen: `it lacks the key ${key}, which the pods need` }
  })
}

/** When the values last changed, as the API server records it for each writer. */
function changedMs(secret: KubeObject): number {
  const times = listAt(secret, 'metadata', 'managedFields').map((one) => timeAt(one, 'time') ?? 0)
  return Math.max(timeAt(secret, 'metadata', 'creationTimestamp') ?? 0, ...times)
}

/** The environment of a process does not follow its Secret, other than a mounted file. */
function changedUnderPods(facts: Facts): readonly Seen[] {
  return livePods(facts, 'service').flatMap((pod) => {
    const startedMs = timeAt(pod, 'status', 'startTime')
    const names = objectsOf(facts, 'deployments')
      .flatMap(referencesOf)
      .map(({ secret }) => secret)
    const late = [...new Set(names)].filter((name) => {
      const secret = secretOf(facts, name)
      return secret !== undefined && startedMs !== undefined && changedMs(secret) > startedMs
    })
    return late.map((name) => ({ subject: `pod/${pod.metadata.name}`, seen: `Secret ${name} changed after its start` }))
  })
}

/** Labels and annotations by which Argo CD and Flux mark what they apply. */
const GITOPS = /argocd\.argoproj\.io\/|kustomize\.toolkit\.fluxcd\.io\//

function renderedByGitOps(facts: Facts): readonly Seen[] {
  return facts.secrets.flatMap(({ name }) => {
    const secret = secretOf(facts, name)
    const marks = Object.keys({ ...secret?.metadata.labels, ...secret?.metadata.annotations })
    const isOurs = secret?.metadata.labels?.['helm.sh/chart']?.startsWith('ingot-') === true
    const mark = marks.find((one) => GITOPS.test(one))
    return seenIf(isOurs && mark !== undefined, `secret/${name}`, `the chart generated it, and it carries ${mark}`)
  })
}

export const SECRET_CHECKS: readonly Check[] = [
  {
    code: 'SECRET_MISSING',
    severity: 'error',
    needs: ['secrets', 'deployments', 'statefulSets'],
    remedy: 'create the Secret with the keys that charts/ingot/README.md lists, or correct existingSecret',
    find: ({ secrets }) =>
      secrets.flatMap(({ name, secret }) =>
        seenIf(
          secret.kind === 'read' && secret.value === undefined,
          `secret/${name}`,
          'the release names it, and it is not there',
        ),
      ),
  },
  {
    code: 'SECRET_KEY_MISSING',
    severity: 'error',
    needs: ['secrets', 'deployments', 'statefulSets'],
    remedy: 'add the key: pods that start without it wait in CreateContainerConfigError or ContainerCreating',
    find: missingKeys,
  },
  {
    code: 'SECRET_CHANGED_AFTER_START',
    severity: 'error',
    needs: ['secrets', 'deployments', 'pods'],
    remedy:
      'restart the service within redis.auth.previousValidSeconds of the change: kubectl rollout restart deployment (RUNBOOK.md, "Change a Redis password")',
    find: changedUnderPods,
  },
  {
    code: 'OPERATOR_PASSWORD_MISSING',
    severity: 'error',
    needs: ['secrets', 'topologies'],
    remedy: `the operator cannot log in to Redis: add the key ${OPERATOR_KEY} to the Secret, then roll the Redis pods once`,
    find(facts) {
      const name = textAt(topologyOf(facts), 'spec', 'auth', 'secretName')
      const secret = secretOf(facts, name)
      const isMissing = secret !== undefined && textsAt(secret, 'data')[OPERATOR_KEY] === undefined
      return seenIf(isMissing, `secret/${name}`, `it lacks the key ${OPERATOR_KEY}`)
    },
  },
  {
    code: 'SECRETS_RENDERED_BY_GITOPS',
    severity: 'error',
    needs: ['secrets'],
    remedy:
      'each rendering makes new passwords: set secrets.requireExisting=true, and name Secrets of your own in existingSecret',
    find: renderedByGitOps,
  },
]

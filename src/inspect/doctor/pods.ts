/** Checks of single pods: whether they run, and how they ended before. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { componentOf, type Facts, livePods, mainContainer, objectsOf } from '../facts.ts'
import { listAt, numberAt, textAt } from '../json.ts'
import { type Check, type Seen, seenIf } from './check.ts'

/** Restarts from which on a pod is reported. One or two happen with a node or a probe at start. */
const RESTARTS = 3

const COMPONENTS = ['service', 'redis', 'sentinel', 'cache', 'postgres', 'legacy-backend', 'canary'] as const

function perPod(facts: Facts, see: (pod: KubeObject) => readonly string[]): readonly Seen[] {
  const pods = COMPONENTS.flatMap((component) => livePods(facts, component))
  return pods.flatMap((pod) => see(pod).map((seen) => ({ subject: `pod/${pod.metadata.name}`, seen })))
}

const containerStatuses = (pod: KubeObject): readonly unknown[] => [
  ...listAt(pod, 'status', 'initContainerStatuses'),
  ...listAt(pod, 'status', 'containerStatuses'),
]

function imageDifferences(facts: Facts): readonly Seen[] {
  return COMPONENTS.flatMap((component) => {
    const images = new Set(livePods(facts, component).map((pod) => textAt(mainContainer(pod), 'image')))
    const list = [...images].toSorted().join(', ')
    return seenIf(images.size > 1, `the pods of ${component}`, `they have several images: ${list}`)
  })
}

/** Kubelet's reasons for a container that waits and will not start by itself. */
const STUCK: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
])

export const POD_CHECKS: readonly Check[] = [
  {
    code: 'POD_UNSCHEDULABLE',
    severity: 'error',
    needs: ['pods'],
    remedy:
      'add a node, or relax the rule that the message names; Sentinels on few nodes: redis.sentinel.hardAntiAffinity=false',
    find: (facts) =>
      perPod(facts, (pod) =>
        listAt(pod, 'status', 'conditions')
          .filter((one) => textAt(one, 'reason') === 'Unschedulable')
          .map((one) => `it has no node: ${textAt(one, 'message')}`),
      ),
  },
  {
    code: 'POD_CANNOT_START',
    severity: 'error',
    needs: ['pods'],
    remedy: 'read its log (kubectl logs --previous) and its events; check image, Secrets and configuration',
    find: (facts) =>
      perPod(facts, (pod) =>
        containerStatuses(pod)
          .map((one) => [textAt(one, 'name'), textAt(one, 'state', 'waiting', 'reason')] as const)
          .filter(([, reason]) => STUCK.has(reason))
          .map(([name, reason]) => `the container ${name} waits: ${reason}`),
      ),
  },
  {
    code: 'POD_OUT_OF_MEMORY',
    severity: 'error',
    needs: ['pods'],
    remedy: 'raise the memory limit of this component, or lower what it may keep (maxPendingBytes, redis.maxmemory)',
    find: (facts) =>
      perPod(facts, (pod) =>
        containerStatuses(pod)
          .filter((one) =>
            ['state', 'lastState'].some((state) => textAt(one, state, 'terminated', 'reason') === 'OOMKilled'),
          )
          .map((one) => `the kernel ended the container ${textAt(one, 'name')} because its memory was full`),
      ),
  },
  {
    code: 'POD_RESTARTS',
    severity: 'warning',
    needs: ['pods'],
    remedy: 'read the log of the container before (kubectl logs --previous), and its last state (kubectl describe)',
    find: (facts) =>
      perPod(facts, (pod) =>
        containerStatuses(pod)
          .map((one) => [textAt(one, 'name'), numberAt(one, 'restartCount') ?? 0] as const)
          .filter(([, count]) => count >= RESTARTS)
          .map(([name, count]) => `the container ${name} was restarted ${count} times`),
      ),
  },
  {
    code: 'IMAGES_DIFFER',
    severity: 'warning',
    needs: ['pods'],
    remedy: 'a roll is under way or stuck: kubectl rollout status, then look at the pod that is not ready',
    find: imageDifferences,
  },
  {
    code: 'CANARY_FAILED',
    severity: 'error',
    needs: ['pods'],
    remedy: 'read the log of the canary, and judge its history with ingot check (docs/drills.md)',
    find: (facts) =>
      objectsOf(facts, 'pods')
        .filter((pod) => componentOf(pod) === 'canary' && textAt(pod, 'status', 'phase') === 'Failed')
        .map(({ metadata }) => ({ subject: `pod/${metadata.name}`, seen: 'the canary has ended with a failure' })),
  },
  {
    code: 'NEVER_TESTED',
    severity: 'warning',
    needs: ['pods'],
    remedy: 'run helm test RELEASE, and a drill before you rely on failover (docs/drills.md)',
    find(facts) {
      const pods = objectsOf(facts, 'pods')
      const hasPassed = pods.some(
        (pod) => componentOf(pod) === 'test' && textAt(pod, 'status', 'phase') === 'Succeeded',
      )
      const hasCanary = livePods(facts, 'canary').length > 0
      return seenIf(!hasPassed && !hasCanary, `release/${facts.release}`, 'no helm test has passed, and no canary runs')
    },
  },
]

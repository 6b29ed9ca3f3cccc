/** Checks of the volumes of Redis. Pure. */
import { componentOf, type Facts, objectsOf, ofComponent } from '../facts.ts'
import { listAt, numberAt, textAt } from '../json.ts'
import { modeOf, redisSet } from '../topology.ts'
import { type Check, type Seen, seenIf } from './check.ts'

/** Returns the names of the claims that the StatefulSets of the release use. */
function usedClaims(facts: Facts): ReadonlySet<string> {
  const names = objectsOf(facts, 'statefulSets').flatMap((set) =>
    listAt(set, 'spec', 'volumeClaimTemplates').flatMap((template) =>
      Array.from(
        { length: numberAt(set, 'spec', 'replicas') ?? 0 },
        (_, index) => `${textAt(template, 'metadata', 'name')}-${set.metadata.name}-${index}`,
      ),
    ),
  )
  return new Set(names)
}

const OF_SETS: ReadonlySet<string> = new Set(['redis', 'sentinel', 'postgres'])

function leftOver(facts: Facts): readonly Seen[] {
  const used = usedClaims(facts)
  return objectsOf(facts, 'claims')
    .filter((claim) => OF_SETS.has(componentOf(claim)) && !used.has(claim.metadata.name))
    .map(({ metadata }) => ({
      subject: `persistentvolumeclaim/${metadata.name}`,
      seen: 'no pod of the release uses it',
    }))
}

export const STORAGE_CHECKS: readonly Check[] = [
  {
    code: 'PERSISTENCE_OFF',
    severity: 'warning',
    needs: ['statefulSets'],
    remedy: 'the loss of all pods is the loss of all locks: install with redis.persistence.enabled=true',
    find(facts) {
      const set = redisSet(facts)
      if (set === undefined || modeOf(facts) === 'external') return []
      const isOff = listAt(set, 'spec', 'volumeClaimTemplates').length === 0
      return seenIf(isOff, `statefulset/${set.metadata.name}`, 'the servers have no volume that outlives their pods')
    },
  },
  {
    code: 'APPEND_FSYNC_WEAK',
    severity: 'warning',
    needs: ['configMaps'],
    remedy: 'a power failure loses acknowledged writes: set redis.persistence.appendfsync=always',
    find: (facts) =>
      ofComponent(objectsOf(facts, 'configMaps'), 'redis').flatMap((map) => {
        const [, policy = 'always'] = /^appendfsync\s+(\w+)/m.exec(textAt(map, 'data', 'redis.conf')) ?? []
        return seenIf(policy !== 'always', `configmap/${map.metadata.name}`, `appendfsync is ${policy}`)
      }),
  },
  {
    code: 'CLAIMS_LEFT_OVER',
    severity: 'warning',
    needs: ['claims', 'statefulSets'],
    remedy:
      'a server that starts there again finds old data: after a check that nobody needs them, kubectl delete persistentvolumeclaim',
    find: leftOver,
  },
  {
    code: 'CLAIM_NOT_BOUND',
    severity: 'error',
    needs: ['claims'],
    remedy: 'look at the events of the claim: the storage class may be missing, or the zone full',
    find: (facts) =>
      objectsOf(facts, 'claims').flatMap((claim) => {
        const phase = textAt(claim, 'status', 'phase')
        return seenIf(
          phase !== '' && phase !== 'Bound',
          `persistentvolumeclaim/${claim.metadata.name}`,
          `it is ${phase}, not Bound`,
        )
      }),
  },
]

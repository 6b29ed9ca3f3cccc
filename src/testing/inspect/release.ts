/** Releases as kubectl prints them, for tests of the plugin. `releases/*.json` are Lists of healthy releases. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Facts, Read } from '../../inspect/facts.ts'
import { at, listAt } from '../../inspect/json.ts'
import { KINDS, type Part } from '../../inspect/kinds.ts'
import { secretNamesOf } from '../../inspect/secret-names.ts'
import type { KubeObject } from '../../kube/client/resource.ts'

export const NAMESPACE = 'shop'
export const RELEASE = 'ingot'
/** When the releases were read. */
export const NOW = '2026-11-29T12:00:00Z'

export interface ReleaseObjects {
  readonly items: KubeObject[]
  /** Returns the object. Throws if there is none. */
  get(kind: string, name: string): KubeObject
  remove(kind: string, name: string): void
  add(object: KubeObject): void
}

/** Returns a copy of a release's objects. */
export function releaseObjects(mode: 'sentinel' | 'cluster'): ReleaseObjects {
  const path = join(import.meta.dirname, 'releases', `${mode}.json`)
  const { items } = JSON.parse(readFileSync(path, 'utf8')) as { readonly items: KubeObject[] }
  const isIt = (kind: string, name: string) => (one: KubeObject) => one.kind === kind && one.metadata.name === name
  return {
    items,
    get(kind, name) {
      const found = items.find(isIt(kind, name))
      if (found === undefined) throw new Error(`the release has no ${kind} ${name}`)
      return found
    },
    remove: (kind, name) => void items.splice(items.findIndex(isIt(kind, name)), 1),
    add: (object) => void items.push(object),
  }
}

/** Sets a member of an object, or removes it if the value is undefined. Throws if there is no object at the path. */
export function set(object: KubeObject, path: readonly (string | number)[], value: unknown): void {
  const holder = at(object, ...path.slice(0, -1))
  const name = path.at(-1) ?? ''
  if (typeof holder !== 'object' || holder === null) throw new Error(`there is nothing at ${path.join('.')}`)
  if (value === undefined) Reflect.deleteProperty(holder, name)
  else Reflect.set(holder, name, value)
}

/** Changes the condition of this type. */
export function setCondition(object: KubeObject, type: string, members: Readonly<Record<string, string>>): void {
  const index = listAt(object, 'status', 'conditions').findIndex((one) => at(one, 'type') === type)
  for (const [name, value] of Object.entries(members)) set(object, ['status', 'conditions', index, name], value)
}

/** Response of each replica to `GET /v1/status`, as docs/api.md shows it. */
export const STATE = {
  state: 'serving',
  store: { kind: 'postgres', available: true, epoch: 'e1' },
  pending: { items: 7 },
  breakers: { locks: 'closed' },
  locks: { heldCount: 2, waitingCount: 1 },
}

export const METRICS = `# HELP ingot_pending_items Items waiting for their commit
# TYPE ingot_pending_items gauge
ingot_pending_items 7
ingot_lock_breaker_state{backend="redis",state="closed"} 1
ingot_lock_breaker_state{backend="redis",state="half-open"} 0
ingot_lock_breaker_state{backend="redis",state="open"} 0
process_resident_memory_bytes 1
`

const read = <T>(value: T): Read<T> => ({ kind: 'read', value })

/** Returns the facts as the plugin reads them from an API server that has these objects. */
export function factsOf({ items }: ReleaseObjects, nowMs = Date.parse(NOW)): Facts {
  const ofKind = (kind: string) => items.filter((one) => one.kind === kind)
  const ours = ({ metadata }: KubeObject) => metadata.labels?.['app.kubernetes.io/instance'] === RELEASE
  const objects = Object.fromEntries(
    Object.entries(KINDS).map(([part, { kind }]) => [part, read(ofKind(kind).filter(ours))]),
  ) as Record<Part, Read<readonly KubeObject[]>>
  const base: Facts = {
    namespace: NAMESPACE,
    release: RELEASE,
    nowMs,
    version: '0.1.0',
    objects,
    topologies: read(ofKind('CustomResourceDefinition').length === 0 ? undefined : ofKind('RedisTopology')),
    leases: read(ofKind('Lease')),
    operators: read(ofKind('Deployment').filter(({ metadata }) => metadata.name.includes('operator'))),
    definition: read(ofKind('CustomResourceDefinition')[0]),
    secrets: [],
    metrics: [],
    states: read([]),
  }
  const pods = ofKind('Pod').filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'service')
  return {
    ...base,
    secrets: secretNamesOf(base).map((name) => ({
      name,
      secret: read(ofKind('Secret').find(({ metadata }) => metadata.name === name)),
    })),
    metrics: pods.map(({ metadata }) => ({ pod: metadata.name, text: read(METRICS) })),
  }
}

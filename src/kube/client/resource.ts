/** Kinds of resources, their objects as plain JSON, and their paths in the API. Pure. */

/** A kind and where the API serves it. The core group is the empty string. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
}

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
}

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  /** Of a list: where its next page begins. */
  readonly continue?: string
}

/** An object as the API sends it. Fields that ingot does not know are kept. */
export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

/** Returns `v1` for the core group, else `group/version`. */
export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`
}

export interface Location {
  /** Default: all namespaces. */
  readonly namespace?: string | undefined
  /** Default: the collection. */
  readonly name?: string | undefined
  /** Such as `status`. */
  readonly subresource?: string | undefined
}

/** Returns the path of a collection, an object or a subresource. */
export function pathOf(resource: Resource, { namespace, name, subresource }: Location = {}): string {
  const root = resource.group === '' ? '/api/v1' : `/apis/${resource.group}/${resource.version}`
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${root}${scope}/${resource.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`
}

/** Returns `namespace/name`, or `name` for an object without a namespace. Unique among the objects of one kind. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** Returns the value of a JSON text, or undefined for another text. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Returns true for an object with metadata, as the API server sends it. The server has checked all else. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false
  return typeof value.metadata === 'object' && value.metadata !== null
}

/** The object of kind Lease that stands for a key, and what its fields say. Pure. */
import { createHash } from 'node:crypto'
import type { KubeObject, Resource } from '../../../kube/client/resource.ts'
import type { Key, Token } from '../../lock.ts'

export const LEASES: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}

const KEY = 'ingot.dev/key'
const TTL = 'ingot.dev/ttl-ms'
const FENCE = 'ingot.dev/fence'

/** Returns the name of the object. Keys are longer than names may be, so it has 40 digits of their SHA-256. */
export function objectName(key: Key): string {
  return `ingot-${createHash('sha256').update(key).digest('hex').slice(0, 40)}`
}

/** Returns the token that holds the key, or undefined if it is free. */
export function holderOf({ spec }: KubeObject): Token | undefined {
  const holder = isRecord(spec) ? spec['holderIdentity'] : undefined
  return typeof holder === 'string' && holder !== '' ? holder : undefined
}

/** Returns the length of the lease in milliseconds, also of a lease that another program wrote. */
export function ttlMsOf({ spec, metadata }: KubeObject): number {
  const exact = Number(metadata.annotations?.[TTL])
  if (exact > 0) return exact
  const seconds = isRecord(spec) ? Number(spec['leaseDurationSeconds']) : Number.NaN
  return seconds > 0 ? seconds * 1_000 : 0
}

export function versionOf({ metadata }: KubeObject): string {
  return metadata.resourceVersion ?? ''
}

/** Returns the fence of the current holder: the version of the write that granted, which renewals note. */
export function fenceOf(object: KubeObject): bigint {
  return BigInt(object.metadata.annotations?.[FENCE] ?? versionOf(object))
}

export interface Claim {
  readonly namespace: string
  readonly key: Key
  readonly token: Token
  readonly ttlMs: number
  /** By the wall clock, for people. No client compares it. */
  readonly wallMs: number
}

/** Returns the object that grants the key to a token. `before` is the current object, if there is one. */
export function grantedObject(claim: Claim, before: KubeObject | undefined): KubeObject {
  const { [FENCE]: _fence, ...annotations } = before?.metadata.annotations ?? {}
  const spec = specOf(before)
  const transitions = Number(spec['leaseTransitions'] ?? 0) + 1
  return written(claim, before, annotations, { acquireTime: timeOf(claim.wallMs), leaseTransitions: transitions })
}

/** Returns the object that renews the lease of its holder. */
export function renewedObject(claim: Claim, before: KubeObject, fence: bigint): KubeObject {
  return written(claim, before, { ...before.metadata.annotations, [FENCE]: String(fence) }, {})
}

/** Returns the object of a free key. */
export function freedObject(before: KubeObject): KubeObject {
  const { [FENCE]: _fence, ...annotations } = before.metadata.annotations ?? {}
  return { ...before, metadata: { ...before.metadata, annotations }, spec: { ...specOf(before), holderIdentity: '' } }
}

function written(
  { namespace, key, token, ttlMs, wallMs }: Claim,
  before: KubeObject | undefined,
  annotations: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, unknown>>,
): KubeObject {
  const metadata = { ...before?.metadata, name: objectName(key), namespace }
  return {
    ...before,
    metadata: { ...metadata, annotations: { ...annotations, [KEY]: key, [TTL]: String(ttlMs) } },
    spec: {
      ...specOf(before),
      ...changes,
      holderIdentity: token,
      leaseDurationSeconds: Math.max(1, Math.ceil(ttlMs / 1_000)),
      renewTime: timeOf(wallMs),
    },
  }
}

/** The API server accepts exactly six decimals. */
function timeOf(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z')
}

function specOf(object: KubeObject | undefined): Readonly<Record<string, unknown>> {
  const spec = object?.['spec']
  return isRecord(spec) ? spec : {}
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

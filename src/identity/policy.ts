/**
 * The policy that decides which items of a collection are the same. A policy is parsed here once, so all later code can
 * rely on well-formed pointers, none of which is within another.
 */
import { IngotError } from '../errors/error.ts'
import { parsePointer } from './pointer.ts'

/**
 * The kinds of policy:
 * json    the JSON value (RFC 8785); content of another media type in such a collection is identified by its bytes
 * bytes   the bytes as they were sent, of any media type
 * fields  the values at the pointers (include), or all values except those (exclude)
 */
export type IdentityPolicy =
  | { readonly kind: 'json' }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'fields'; readonly include: readonly string[] }
  | { readonly kind: 'fields'; readonly exclude: readonly string[] }

export const DEFAULT_POLICY: IdentityPolicy = Object.freeze({ kind: 'json' })

/** Maximum number of pointers, because each item of the collection costs time for each pointer. */
export const MAX_POINTERS = 100
/** Maximum length of a pointer, in UTF-16 code units. */
export const MAX_POINTER_LENGTH = 1_024

/** Returns the policy from a parsed request or setting. Throws IngotError POLICY_INVALID with the reason. */
export function parsePolicy(value: unknown): IdentityPolicy {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('the identity policy is not an object, use for example {"kind":"json"}')
  }
  const { kind, ...rest } = { kind: undefined, ...value }
  if (kind === 'fields') return parseFields(rest)
  if (kind !== 'json' && kind !== 'bytes')
    throw invalid('the kind of an identity policy is "json", "bytes" or "fields"')
  refuseOthers(rest, kind)
  return { kind }
}

function parseFields(members: object): IdentityPolicy {
  const { include, exclude, ...rest } = { include: undefined, exclude: undefined, ...members }
  refuseOthers(rest, 'fields')
  if (include !== undefined && exclude !== undefined) {
    throw invalid('a policy of kind "fields" has "include" or "exclude", not both')
  }
  if (include !== undefined) return { kind: 'fields', include: parsePointers(include, 'include') }
  if (exclude !== undefined) return { kind: 'fields', exclude: parsePointers(exclude, 'exclude') }
  throw invalid('a policy of kind "fields" needs "include" or "exclude", a list of JSON pointers')
}

function refuseOthers(members: object, kind: string): void {
  const [other] = Object.keys(members)
  if (other !== undefined) throw invalid(`a policy of kind "${kind}" has no member ${quote(other)}`)
}

function parsePointers(list: unknown, name: string): readonly string[] {
  if (!Array.isArray(list) || list.length === 0) throw invalid(`"${name}" is not a list of at least one JSON pointer`)
  if (list.length > MAX_POINTERS)
    throw invalid(`"${name}" has ${list.length} pointers, at most ${MAX_POINTERS} are allowed`)
  const pointers = list.map((entry: unknown) => checkPointer(entry, name))
  refuseNested(pointers, name)
  return pointers
}

function checkPointer(entry: unknown, name: string): string {
  if (typeof entry !== 'string')
    throw invalid(`"${name}" has an entry that is not a string, use pointers such as "/a/b"`)
  if (entry === '') throw invalid(`"${name}" names the complete item (""), use {"kind":"json"} for that`)
  if (entry.length > MAX_POINTER_LENGTH) {
    throw invalid(`"${name}" has a pointer of ${entry.length} characters, at most ${MAX_POINTER_LENGTH} are allowed`)
  }
  if (parsePointer(entry) === undefined) {
    throw invalid(
      `"${name}" has ${quote(entry)}, which is not a JSON pointer (RFC 6901): begin with "/", write ~0 for ~, ~1 for /`,
    )
  }
  return entry
}

/** Refuses a pointer within another one. It has no additional effect, so it is certainly a mistake. */
function refuseNested(pointers: readonly string[], name: string): void {
  for (const [at, inner] of pointers.entries()) {
    const outer = pointers.find((other, otherAt) => otherAt !== at && `${inner}/`.startsWith(`${other}/`))
    if (outer !== undefined)
      throw invalid(`"${name}" has ${quote(inner)} twice or within ${quote(outer)}, name it once`)
  }
}

/**
 * Returns the canonical text of a policy. Two texts are equal exactly if the policies are.
 * `parsePolicy(JSON.parse(text))` parses it. The pointers are sorted, because their order has no meaning.
 */
export function policyText(policy: IdentityPolicy): string {
  if (policy.kind !== 'fields') return JSON.stringify({ kind: policy.kind })
  if ('include' in policy) return JSON.stringify({ include: policy.include.toSorted(byCodeUnit), kind: 'fields' })
  return JSON.stringify({ exclude: policy.exclude.toSorted(byCodeUnit), kind: 'fields' })
}

export function samePolicy(a: IdentityPolicy, b: IdentityPolicy): boolean {
  return policyText(a) === policyText(b)
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
}

function invalid(message: string): IngotError {
  return new IngotError('POLICY_INVALID', message)
}

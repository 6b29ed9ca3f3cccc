/**
 * Computes the identity of an item: one SHA-256 over the content that the collection's policy selects.
 *
 * The hashed text depends on the kind of identity. A version names the algorithm; a changed algorithm gets a new
 * version.
 *   j1  the canonical JSON text (RFC 8785)
 *   b1  "b1\n" and the bytes
 *   f1  "f1\n" and the canonical text of the selected fields
 * No canonical JSON text begins with "b" or "f1", so texts of different kinds always differ. Their digests therefore
 * differ even where the version is not stored with them.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { IngotError } from '../errors/error.ts'
import { type Canonical, canonicalText } from './canonical.ts'
import { canonicalForm, canonicalJsonOfBytes, type JsonLimits, readJson } from './json.ts'
import type { IdentityPolicy } from './policy.ts'
import { excluded, included } from './selection.ts'

/** 32 bytes. */
export type Digest = Uint8Array

/** The kind of content from which the identity of an item is computed. */
export type IdentityKind = IdentityPolicy['kind']

/** The format of the content: one JSON text in UTF-8, or bytes of any other media type. */
export type Media = 'json' | 'bytes'

const DEFAULT_LIMITS: JsonLimits = { maxDepth: 128 }

/**
 * Returns the digest of content in its usual form: bytes under a bytes policy, otherwise JSON at most 128 levels deep.
 */
export function contentIdOf(policy: IdentityPolicy, content: Uint8Array): Digest {
  return identify(policy, policy.kind === 'bytes' ? 'bytes' : 'json', content, DEFAULT_LIMITS)
}

/**
 * Returns the digest of one item. Throws IngotError FIELDS_MISSING, and the JSON errors of `canonicalJson` with
 * `facts.position` in bytes from 0.
 */
export function identify(policy: IdentityPolicy, media: Media, content: Uint8Array, limits: JsonLimits): Digest {
  return Buffer.from(hexDigest(policy, media, content, limits), 'hex')
}

/**
 * Returns the id of one item as clients see it: `formatContentId` of its digest in one step. Throws the errors of
 * `identify`.
 */
export function itemIdOf(policy: IdentityPolicy, media: Media, content: Uint8Array, limits: JsonLimits): string {
  return `${VERSIONS[identityKind(policy, media)]}-${hexDigest(policy, media, content, limits)}`
}

/**
 * Returns the text that identifies an item: its canonical JSON, or that of the selected fields. Returns `undefined` if
 * the item is identified by its bytes as they are. Throws the errors of `identify`.
 */
export function identifyingText(
  policy: IdentityPolicy,
  media: Media,
  content: Uint8Array,
  limits: JsonLimits,
): string | undefined {
  if (policy.kind === 'fields') return selectedText(policy, media, content, limits)
  return identityKind(policy, media) === 'bytes' ? undefined : canonicalJsonOfBytes(content, limits)
}

function hexDigest(policy: IdentityPolicy, media: Media, content: Uint8Array, limits: JsonLimits): string {
  if (policy.kind === 'fields') return sha256(`f1\n${selectedText(policy, media, content, limits)}`)
  if (identityKind(policy, media) === 'bytes') return sha256(Buffer.concat([BYTES_TAG, content]))
  return sha256(canonicalForm(content, limits))
}

/**
 * Returns the kind for `formatContentId`: the policy's kind, except that bytes in a collection of JSON have the kind
 * `bytes`.
 */
export function identityKind(policy: IdentityPolicy, media: Media): IdentityKind {
  return policy.kind === 'json' && media === 'bytes' ? 'bytes' : policy.kind
}

const BYTES_TAG = Buffer.from('b1\n')

type FieldsPolicy = Extract<IdentityPolicy, { readonly kind: 'fields' }>

function selectedText(policy: FieldsPolicy, media: Media, content: Uint8Array, limits: JsonLimits): string {
  if (media === 'bytes')
    throw new IngotError('FIELDS_MISSING', 'the item is not JSON, and its collection is identified by fields')
  const value = readJson(content, limits)
  if (typeof value === 'string') {
    throw new IngotError(
      'FIELDS_MISSING',
      'the item is neither an object nor an array, and its collection is identified by fields',
    )
  }
  if ('exclude' in policy) return canonicalText(excluded(value, policy.exclude))
  return includedText(value, policy.include)
}

function includedText(value: Canonical, pointers: readonly string[]): string {
  const found = included(value, pointers)
  if (found.members.length > 0) return canonicalText(found)
  throw new IngotError('FIELDS_MISSING', `the item has none of the fields ${pointers.slice(0, 5).join(', ')}`)
}

/**
 * Returns the digest in hex, the form that ids need. This takes less than half the time of a digest in its own buffer.
 */
function sha256(content: string | Uint8Array): string {
  return hash('sha256', content, 'hex')
}

const VERSIONS: Readonly<Record<IdentityKind, string>> = { json: 'j1', bytes: 'b1', fields: 'f1' }
const KINDS: Readonly<Record<string, IdentityKind>> = { j1: 'json', b1: 'bytes', f1: 'fields' }

/** The two characters with which ids begin, one version for each kind of identity. */
export const ID_VERSIONS: readonly string[] = Object.values(VERSIONS)

/** Returns the id that clients see: `<version>-<64 hex digits>`. */
export function formatContentId(kind: IdentityKind, digest: Digest): string {
  return `${VERSIONS[kind]}-${Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex')}`
}

export interface ContentId {
  readonly kind: IdentityKind
  readonly digest: Digest
}

const FORM = /^([a-z]\d)-([0-9a-f]{64})$/

/** Parses an id written by `formatContentId`. Returns `undefined` for any other text, including capital hex digits. */
export function parseContentId(text: string): ContentId | undefined {
  const [, version = '', hex = ''] = FORM.exec(text) ?? []
  const kind = KINDS[version]
  return kind === undefined ? undefined : { kind, digest: Buffer.from(hex, 'hex') }
}

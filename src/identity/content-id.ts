/**
 * The identity of an item: one SHA-256 over what its collection's policy says it is.
 *
 * What is hashed, by kind of identity (a version names the algorithm; a change of it would be a new version):
 *   j1  the canonical JSON text (RFC 8785)
 *   b1  "b1\n" and the bytes
 *   f1  "f1\n" and the canonical text of the fields that count
 * No canonical JSON text begins with "b" or "f1", so what is hashed for one kind is never what is hashed for another:
 * digests are apart by kind even where the version is not stored beside them.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { IngotError } from '../errors/error.ts'
import { type Canonical, canonicalText } from './canonical.ts'
import { canonicalForm, type JsonLimits, readJson } from './json.ts'
import type { IdentityPolicy } from './policy.ts'
import { excluded, included } from './selection.ts'

/** 32 bytes. */
export type Digest = Uint8Array

/** What the identity of an item was made of. */
export type IdentityKind = IdentityPolicy['kind']

/** How the content came: as one JSON text in UTF-8, or as bytes of any other media type. */
export type Media = 'json' | 'bytes'

const DEFAULT_LIMITS: JsonLimits = { maxDepth: 128 }

/** The digest of content as it usually comes: bytes under a policy of bytes, else JSON, at most 128 deep. */
export function contentIdOf(policy: IdentityPolicy, content: Uint8Array): Digest {
  return identify(policy, policy.kind === 'bytes' ? 'bytes' : 'json', content, DEFAULT_LIMITS)
}

/**
 * The digest of one item.
 * @throws IngotError FIELDS_MISSING, and the faults of JSON (see `canonicalJson`) with `facts.position` in bytes from 0
 */
export function identify(policy: IdentityPolicy, media: Media, content: Uint8Array, limits: JsonLimits): Digest {
  return Buffer.from(hexDigest(policy, media, content, limits), 'hex')
}

/** The id of one item as clients see it: `formatContentId` of its digest, in one step. @throws as `identify` */
export function itemIdOf(policy: IdentityPolicy, media: Media, content: Uint8Array, limits: JsonLimits): string {
  return `${VERSIONS[identityKind(policy, media)]}-${hexDigest(policy, media, content, limits)}`
}

function hexDigest(policy: IdentityPolicy, media: Media, content: Uint8Array, limits: JsonLimits): string {
  if (policy.kind === 'fields') return sha256(`f1\n${selectedText(policy, media, content, limits)}`)
  if (identityKind(policy, media) === 'bytes') return sha256(Buffer.concat([BYTES_TAG, content]))
  return sha256(canonicalForm(content, limits))
}

/**
 * What the identity of an item is made of: the policy's kind, but bytes in a collection of JSON count by their bytes.
 * The kind for `formatContentId`.
 */
export function identityKind(policy: IdentityPolicy, media: Media): IdentityKind {
  return policy.kind === 'json' && media === 'bytes' ? 'bytes' : policy.kind
}

const BYTES_TAG = Buffer.from('b1\n')

type FieldsPolicy = Extract<IdentityPolicy, { readonly kind: 'fields' }>

function selectedText(policy: FieldsPolicy, media: Media, content: Uint8Array, limits: JsonLimits): string {
  if (media === 'bytes')
    throw new IngotError('FIELDS_MISSING', 'the item is not JSON, and its collection goes by fields')
  const value = readJson(content, limits)
  if (typeof value === 'string') {
    throw new IngotError(
      'FIELDS_MISSING',
      'the item is neither an object nor an array, and its collection goes by fields',
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

/** In hex, which is also what ids are written in: less than half the cost of a digest in a buffer of its own. */
function sha256(content: string | Uint8Array): string {
  return hash('sha256', content, 'hex')
}

const VERSIONS: Readonly<Record<IdentityKind, string>> = { json: 'j1', bytes: 'b1', fields: 'f1' }
const KINDS: Readonly<Record<string, IdentityKind>> = { j1: 'json', b1: 'bytes', f1: 'fields' }

/** `<version>-<64 hex digits>`: the id that clients see. */
export function formatContentId(kind: IdentityKind, digest: Digest): string {
  return `${VERSIONS[kind]}-${Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex')}`
}

export interface ContentId {
  readonly kind: IdentityKind
  readonly digest: Digest
}

const FORM = /^([a-z]\d)-([0-9a-f]{64})$/

/** Reads what `formatContentId` writes; `undefined` for anything else, capital hex digits among it. */
export function parseContentId(text: string): ContentId | undefined {
  const [, version = '', hex = ''] = FORM.exec(text) ?? []
  const kind = KINDS[version]
  return kind === undefined ? undefined : { kind, digest: Buffer.from(hex, 'hex') }
}

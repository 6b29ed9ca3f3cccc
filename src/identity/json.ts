/**
 * Converts JSON texts to canonical texts (RFC 8785). Two texts have the same canonical text exactly if they are the
 * same JSON value. A text for which that could fail (a duplicate member, a number that a double would round, a lone
 * surrogate) is refused, never repaired.
 */
import { Buffer, isUtf8 } from 'node:buffer'
import { IngotError } from '../errors/error.ts'
import { type Canonical, canonicalText } from './canonical.ts'
import { isSurelyCanonical } from './canonical-scan.ts'
import { readStrictly } from './reader.ts'

export interface JsonLimits {
  /** Maximum depth of nested arrays and objects. Values above MAX_DEPTH count as MAX_DEPTH. */
  readonly maxDepth: number
}

/** Upper limit of the depth. Deeper recursion could overflow the stack. */
export const MAX_DEPTH = 1_000

/**
 * Returns the RFC 8785 form of a JSON text. Throws IngotError JSON_INVALID, JSON_DUPLICATE_MEMBER, JSON_LONE_SURROGATE,
 * JSON_TOO_DEEP or NUMBER_PRECISION with `facts.position`, counted in UTF-16 code units from 0.
 */
export function canonicalJson(text: string, limits: JsonLimits): string {
  return canonicalText(readStrictly({ text, unit: 'character', maxDepth: depthOf(limits) }))
}

/** Does the same as `canonicalJson` for UTF-8 bytes. Positions count bytes from 0. A byte order mark is refused. */
export function canonicalJsonOfBytes(content: Uint8Array, limits: JsonLimits): string {
  return canonicalText(readJson(content, limits))
}

/** Returns the canonical form for hashing: the bytes themselves if they are canonical, otherwise the canonical text. */
export function canonicalForm(content: Uint8Array, limits: JsonLimits): Uint8Array | string {
  return isSurelyCanonical(content, depthOf(limits)) ? content : canonicalJsonOfBytes(content, limits)
}

/** Returns the value of UTF-8 bytes. Throws the errors of `canonicalJsonOfBytes`. */
export function readJson(content: Uint8Array, limits: JsonLimits): Canonical {
  if (!isUtf8(content)) throw invalidUtf8(content)
  return readStrictly({ text: bufferOf(content).toString('utf8'), unit: 'byte', maxDepth: depthOf(limits) })
}

function depthOf(limits: JsonLimits): number {
  return Math.min(limits.maxDepth, MAX_DEPTH)
}

function bufferOf(content: Uint8Array): Buffer {
  return Buffer.isBuffer(content) ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}

function invalidUtf8(content: Uint8Array): IngotError {
  const position = firstInvalidByte(content)
  return new IngotError('JSON_INVALID', `not UTF-8, at byte ${position}`, { facts: { position } })
}

/** Returns the index of the first byte that decoding and encoding as UTF-8 changes. */
function firstInvalidByte(content: Uint8Array): number {
  const repaired = Buffer.from(bufferOf(content).toString('utf8'))
  const at = content.findIndex((byte, index) => byte !== repaired[index])
  const first = at < 0 ? content.length : at
  // The replacement character is EF BF BD: a cut-off sequence may share its first bytes.
  if (content[first - 1] === 0xef) return first - 1
  return content[first - 2] === 0xef && content[first - 1] === 0xbf ? first - 2 : first
}

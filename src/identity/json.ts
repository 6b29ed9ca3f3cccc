/**
 * JSON texts to canonical texts (RFC 8785). Two texts have the same canonical text exactly when they are the same JSON
 * value; a text for which that could not hold (a member named twice, a number that a double would round, half of a
 * surrogate pair) is refused, never repaired.
 *
 * The engine's own parser does the work where it provably loses nothing: for a text that `JSON.stringify` gives back
 * unchanged. (Should the parser err, as V8's does, what it gives back is another text.) Every other text is read by
 * the strict reader, which also words the refusals.
 */
import { Buffer, isUtf8 } from 'node:buffer'
import { Fault } from '../std/fault.ts'
import { canonicalText, type Json, orderOf } from './canonical.ts'
import { readStrictly } from './reader.ts'
import type { Source } from './refusal.ts'

export interface JsonLimits {
  /** How many arrays and objects may enclose each other, at most MAX_DEPTH (more counts as that). */
  readonly maxDepth: number
}

/** Beyond this the recursion could leave the stack. */
export const MAX_DEPTH = 1_000

/** A text that passed, and what it says. */
export interface JsonReading {
  readonly value: Json
  /** RFC 8785. */
  readonly canonical: string
  /** Whether the text was canonical already. */
  readonly verbatim: boolean
}

/**
 * The RFC 8785 form of a JSON text.
 * @throws Fault JSON_INVALID, JSON_DUPLICATE_MEMBER, JSON_LONE_SURROGATE, JSON_TOO_DEEP, NUMBER_PRECISION with
 * `facts.position`, counted in UTF-16 code units from 0
 */
export function canonicalJson(text: string, limits: JsonLimits): string {
  return read({ text, unit: 'character', maxDepth: depthOf(limits) }).canonical
}

/** As `canonicalJson`, of UTF-8 bytes; positions count bytes from 0. A byte order mark is refused. */
export function canonicalJsonOfBytes(content: Uint8Array, limits: JsonLimits): string {
  return readJsonBytes(content, limits).canonical
}

/** As `canonicalJsonOfBytes`, with the value. */
export function readJsonBytes(content: Uint8Array, limits: JsonLimits): JsonReading {
  if (!isUtf8(content)) throw invalidUtf8(content)
  return read({ text: asText(content), unit: 'byte', maxDepth: depthOf(limits) })
}

function depthOf(limits: JsonLimits): number {
  return Math.min(limits.maxDepth, MAX_DEPTH)
}

function read(source: Source): JsonReading {
  return readByEngine(source) ?? readByRules(source)
}

function readByRules(source: Source): JsonReading {
  const value = readStrictly(source)
  return { value, canonical: canonicalText(value), verbatim: false }
}

/**
 * What the engine makes of a text that it writes as it was; `undefined` for all others, refused ones among them.
 * Written by the engine, a text has no member twice, no number that is not its double's own text, no space.
 */
function readByEngine({ text, maxDepth }: Source): JsonReading | undefined {
  if (!looksWritten(text)) return undefined
  const value = parse(text)
  if (value === undefined) return undefined
  const order = orderOf(value, maxDepth)
  if (order === 'too-deep' || JSON.stringify(value) !== text) return undefined
  const verbatim = order === 'canonical'
  return { value, canonical: verbatim ? text : canonicalText(value), verbatim }
}

/**
 * Cheap signs that the engine would not write the text so, which save trying. Only the escapes decide anything: it
 * writes half of a surrogate pair as \ud800 and the like, and takes it back.
 */
function looksWritten(text: string): boolean {
  return !text.includes('\\u') && !text.includes('": ') && !text.includes('\n')
}

function asText(content: Uint8Array): string {
  return bufferOf(content).toString('utf8')
}

function bufferOf(content: Uint8Array): Buffer {
  return Buffer.isBuffer(content) ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength)
}

/** `undefined` for what the engine refuses. */
function parse(text: string): Json | undefined {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON.parse returns JSON values, nothing else
    return JSON.parse(text) as Json
  } catch {
    // The strict reader refuses the same texts, with the position and in our words.
    return undefined
  }
}

function invalidUtf8(content: Uint8Array): Fault {
  const position = firstInvalidByte(content)
  return new Fault('JSON_INVALID', `not UTF-8, at byte ${position}`, { facts: { position } })
}

/** Where the bytes first differ from what reading and writing them as UTF-8 makes of them. */
function firstInvalidByte(content: Uint8Array): number {
  const repaired = Buffer.from(bufferOf(content).toString('utf8'))
  const at = content.findIndex((byte, index) => byte !== repaired[index])
  const first = at < 0 ? content.length : at
  // The replacement character is EF BF BD: a cut-off sequence may share its first bytes.
  if (content[first - 1] === 0xef) return first - 1
  return content[first - 2] === 0xef && content[first - 1] === 0xbf ? first - 2 : first
}

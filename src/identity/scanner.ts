/**
 * The strict reading of JSON (RFC 8259, I-JSON's rules on names and Unicode): says where and why a text is refused.
 * A text that passes is one whose value `JSON.parse` reads without losing anything: no member named twice, no number
 * rounded, no half of a surrogate pair, no nesting beyond the limit. Time is linear in the text.
 *
 * Each `scanX(source, at)` expects an X at index `at` and returns the index behind it.
 */
import { Buffer } from 'node:buffer'
import { Fault, type FaultCode } from '../std/fault.ts'
import { isPrecise } from './number.ts'

export interface Source {
  readonly text: string
  /** What positions count in: bytes when the text came as UTF-8, else UTF-16 code units. Both from 0. */
  readonly unit: 'byte' | 'character'
  /** How many arrays and objects may enclose each other. */
  readonly maxDepth: number
}

/** Reads one JSON text from end to end. @throws Fault with `facts.position`, and `facts.token` for a number. */
export function scanText(source: Source): void {
  refuseRawSurrogates(source)
  const end = skipSpace(source.text, scanValue(source, skipSpace(source.text, 0), 0))
  if (end < source.text.length) throw invalid(source, end, 'expected the end after the value')
}

/** Bytes cannot bring these in, a string can; escapes are checked where they stand. */
function refuseRawSurrogates(source: Source): void {
  if (source.unit === 'byte') return
  const at = source.text.search(/\p{Surrogate}/u)
  if (at >= 0) throw loneSurrogate(source, at)
}

function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at += 1
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const CLOSE_BRACKET = 0x5d
const CLOSE_BRACE = 0x7d

function scanValue(source: Source, at: number, depth: number): number {
  switch (source.text[at]) {
    case '{':
      return scanObject(source, enter(source, at, depth), depth + 1)
    case '[':
      return scanArray(source, enter(source, at, depth), depth + 1)
    case '"':
      return scanString(source, at)
    case 't':
      return scanLiteral(source, at, 'true')
    case 'f':
      return scanLiteral(source, at, 'false')
    case 'n':
      return scanLiteral(source, at, 'null')
    case undefined:
    default:
      return scanNumber(source, at)
  }
}

function enter(source: Source, at: number, depth: number): number {
  if (depth < source.maxDepth) return skipSpace(source.text, at + 1)
  throw refuse(source, at, { code: 'JSON_TOO_DEEP', what: `more than ${source.maxDepth} levels deep` })
}

function scanArray(source: Source, first: number, depth: number): number {
  const { text } = source
  if (text.charCodeAt(first) === CLOSE_BRACKET) return first + 1
  for (let at = first; ; at = skipSpace(text, at + 1)) {
    at = skipSpace(text, scanValue(source, at, depth))
    const code = text.charCodeAt(at)
    if (code === CLOSE_BRACKET) return at + 1
    if (code !== COMMA) throw invalid(source, at, 'expected "," or "]"')
  }
}

function scanObject(source: Source, first: number, depth: number): number {
  const { text } = source
  if (text.charCodeAt(first) === CLOSE_BRACE) return first + 1
  const names = new Set<string>()
  for (let at = first; ; at = skipSpace(text, at + 1)) {
    at = skipSpace(text, scanValue(source, scanName(source, at, names), depth))
    const code = text.charCodeAt(at)
    if (code === CLOSE_BRACE) return at + 1
    if (code !== COMMA) throw invalid(source, at, 'expected "," or "}"')
  }
}

/** A member name and its colon; adds the name to those of its object. */
function scanName(source: Source, at: number, names: Set<string>): number {
  const { text } = source
  if (text.charCodeAt(at) !== QUOTE) throw invalid(source, at, 'expected a member name in double quotes')
  const end = scanString(source, at)
  const name = stringAt(text, at, end)
  if (names.has(name)) throw refuse(source, at, { code: 'JSON_DUPLICATE_MEMBER', what: 'a member named twice' })
  names.add(name)
  const colon = skipSpace(text, end)
  if (text.charCodeAt(colon) !== COLON) throw invalid(source, colon, 'expected ":"')
  return skipSpace(text, colon + 1)
}

function stringAt(text: string, at: number, end: number): string {
  const inner = text.slice(at + 1, end - 1)
  return inner.includes('\\') ? String(JSON.parse(text.slice(at, end))) : inner
}

function scanString(source: Source, start: number): number {
  const { text } = source
  let at = start + 1
  for (;;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code === BACKSLASH) at = scanEscape(source, at)
    else if (code >= 0x20) at += 1
    else throw invalid(source, at, at < text.length ? 'a control character is not escaped' : 'a string has no end')
  }
}

const SHORT_ESCAPES = '"\\/bfnrt'

function scanEscape(source: Source, at: number): number {
  const kind = source.text[at + 1]
  if (kind !== undefined && SHORT_ESCAPES.includes(kind)) return at + 2
  const unit = escapedUnit(source.text, at)
  if (unit === undefined) throw invalid(source, at, 'no such escape')
  if (unit < 0xd800 || unit > 0xdfff) return at + 6
  const next = unit < 0xdc00 ? escapedUnit(source.text, at + 6) : undefined
  if (next === undefined || next < 0xdc00 || next > 0xdfff) throw loneSurrogate(source, at)
  return at + 12
}

const UNIT_ESCAPE = /^\\u[0-9a-fA-F]{4}$/

/** The UTF-16 code unit of the `\uXXXX` at an index, if there is one. */
function escapedUnit(text: string, at: number): number | undefined {
  const escape = text.slice(at, at + 6)
  return UNIT_ESCAPE.test(escape) ? Number.parseInt(escape.slice(2), 16) : undefined
}

function scanLiteral(source: Source, at: number, word: string): number {
  if (source.text.startsWith(word, at)) return at + word.length
  throw invalid(source, at, 'expected a value')
}

function scanNumber(source: Source, start: number): number {
  const { text } = source
  const whole = text.charCodeAt(start) === MINUS ? start + 1 : start
  let at = scanDigits(source, whole, whole === start ? 'expected a value' : 'expected a digit')
  if (at > whole + 1 && text.charCodeAt(whole) === ZERO) throw invalid(source, whole, 'a number begins with 0')
  if (text.charCodeAt(at) === POINT) at = scanDigits(source, at + 1, 'expected a digit')
  if (isExponentMark(text.charCodeAt(at))) at = scanDigits(source, skipSign(text, at + 1), 'expected a digit')
  checkPrecision(source, start, at)
  return at
}

function scanDigits(source: Source, first: number, what: string): number {
  let at = first
  while (isDigit(source.text.charCodeAt(at))) at += 1
  if (at === first) throw invalid(source, at, what)
  return at
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

function isExponentMark(code: number): boolean {
  return code === 0x65 || code === 0x45
}

function skipSign(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code === MINUS || code === PLUS ? at + 1 : at
}

/** How much of a refused number an answer repeats. */
const MAX_TOKEN_SHOWN = 40

function checkPrecision(source: Source, start: number, end: number): void {
  const token = source.text.slice(start, end)
  if (isPrecise(token)) return
  const shown = token.length > MAX_TOKEN_SHOWN ? `${token.slice(0, MAX_TOKEN_SHOWN)}...` : token
  throw refuse(source, start, {
    code: 'NUMBER_PRECISION',
    what: `${shown} is not exactly a double's value`,
    token: shown,
  })
}

function loneSurrogate(source: Source, at: number): Fault {
  return refuse(source, at, { code: 'JSON_LONE_SURROGATE', what: 'half of a surrogate pair' })
}

function invalid(source: Source, at: number, what: string): Fault {
  return refuse(source, at, { code: 'JSON_INVALID', what })
}

interface Refusal {
  readonly code: FaultCode
  readonly what: string
  readonly token?: string
}

/** The position is worked out only here, where there is time. */
function refuse(source: Source, at: number, { code, what, token }: Refusal): Fault {
  const { text, unit } = source
  const position = unit === 'byte' ? Buffer.byteLength(text.slice(0, at)) : at
  const facts = token === undefined ? { position } : { position, token }
  return new Fault(code, `${what}, at ${unit} ${position}`, { facts })
}

/**
 * Strict parser for JSON (RFC 8259, with the rules of I-JSON for names, numbers and Unicode). It loses nothing: a
 * duplicate member, a number that a double would round, a lone surrogate and nesting beyond the limit are refused. Time
 * is linear in the text; the depth limit bounds the stack.
 *
 * It does not use `JSON.parse` for another reason as well: at least V8 12.8 to 14.6 sometimes read a member name that
 * begins with an escape as another name (nodejs/node#63785), which would merge two items.
 */
import type { IngotError } from '../errors/error.ts'
import { byName, type Canonical, type Member, quotedText } from './canonical.ts'
import { canonicalNumber } from './number.ts'
import { imprecise, refusal, type Source } from './refusal.ts'

const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Returns the value of a JSON text. Throws IngotError with `facts.position`, and `facts.token` for a number. */
export function readStrictly(source: Source): Canonical {
  return new Reader(source).readText()
}

interface StringToken {
  readonly plain: string
  /** The string in quotes, as RFC 8785 writes it. */
  readonly quoted: string
}

interface PlacedMember extends Member {
  /** Index at which its name begins. */
  readonly at: number
}

function isAscending(members: readonly Member[]): boolean {
  let last: string | undefined
  for (const { name } of members) {
    if (last !== undefined && name <= last) return false
    last = name
  }
  return true
}

/** Parses one text. Each `#readX` expects an X at `#at` and leaves `#at` after it. */
class Reader {
  readonly #source: Source
  readonly #text: string
  #at = 0

  constructor(source: Source) {
    this.#source = source
    this.#text = source.text
  }

  readText(): Canonical {
    this.#refuseRawSurrogates()
    this.#skipSpace()
    const value = this.#readValue(0)
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#invalid('expected the end after the value')
    return value
  }

  /** Only a string can contain raw lone surrogates, UTF-8 cannot. Escaped ones are refused where they occur. */
  #refuseRawSurrogates(): void {
    if (this.#source.unit === 'byte') return
    const at = this.#text.search(/\p{Surrogate}/u)
    if (at >= 0) throw this.#loneSurrogate(at)
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at += 1
    }
  }

  #readValue(depth: number): Canonical {
    switch (this.#text.charCodeAt(this.#at)) {
      case OPEN_BRACE:
        return this.#readObject(depth + 1)
      case OPEN_BRACKET:
        return this.#readArray(depth + 1)
      case QUOTE:
        return this.#readString().quoted
      case 0x74:
        return this.#readWord('true')
      case 0x66:
        return this.#readWord('false')
      case 0x6e:
        return this.#readWord('null')
      default:
        return this.#readNumber()
    }
  }

  /** Moves past the opening bracket or brace. */
  #enter(depth: number): void {
    const { maxDepth } = this.#source
    if (depth > maxDepth) throw refusal(this.#source, this.#at, 'JSON_TOO_DEEP', `more than ${maxDepth} levels deep`)
    this.#at += 1
    this.#skipSpace()
  }

  #readArray(depth: number): Canonical {
    this.#enter(depth)
    const list: Canonical[] = []
    if (this.#skip(CLOSE_BRACKET)) return list
    for (;;) {
      list.push(this.#readValue(depth))
      this.#skipSpace()
      if (this.#skip(CLOSE_BRACKET)) return list
      if (!this.#skip(COMMA)) throw this.#invalid('expected "," or "]"')
      this.#skipSpace()
    }
  }

  #readObject(depth: number): Canonical {
    this.#enter(depth)
    const members: PlacedMember[] = []
    if (this.#skip(CLOSE_BRACE)) return { members }
    for (;;) {
      members.push(this.#readMember(depth))
      this.#skipSpace()
      if (this.#skip(CLOSE_BRACE)) return { members: this.#inOrder(members) }
      if (!this.#skip(COMMA)) throw this.#invalid('expected "," or "}"')
      this.#skipSpace()
    }
  }

  #readMember(depth: number): PlacedMember {
    const at = this.#at
    if (this.#text.charCodeAt(at) !== QUOTE) throw this.#invalid('expected a member name in double quotes')
    const { plain: name, quoted } = this.#readString()
    this.#skipSpace()
    if (!this.#skip(COLON)) throw this.#invalid('expected ":"')
    this.#skipSpace()
    return { name, quoted, value: this.#readValue(depth), at }
  }

  /** Sorts the members. Most objects are in order already, or small. Equal names end up next to each other. */
  #inOrder(members: PlacedMember[]): readonly PlacedMember[] {
    if (isAscending(members)) return members
    const sorted = members.toSorted(byName)
    for (const [index, member] of sorted.entries()) {
      if (member.name === sorted[index - 1]?.name) {
        throw refusal(this.#source, member.at, 'JSON_DUPLICATE_MEMBER', 'a member named twice')
      }
    }
    return sorted
  }

  #skip(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at += 1
    return true
  }

  #readString(): StringToken {
    const start = this.#at
    const end = this.#endOfPlain(start + 1)
    if (this.#text.charCodeAt(end) !== QUOTE) return this.#readEscapedString(start + 1, end)
    this.#at = end + 1
    return { plain: this.#text.slice(start + 1, end), quoted: this.#text.slice(start, end + 1) }
  }

  /** `start` and `end` delimit the part before the first escape. */
  #readEscapedString(start: number, end: number): StringToken {
    let plain = ''
    let [from, at] = [start, end]
    for (; this.#text.charCodeAt(at) !== QUOTE; at = this.#endOfPlain(from)) {
      const escape = this.#readEscape(at)
      plain += this.#text.slice(from, at) + escape.character
      from = at + escape.length
    }
    plain += this.#text.slice(from, at)
    this.#at = at + 1
    return { plain, quoted: quotedText(plain) }
  }

  /** Returns the index of the next quote or backslash. */
  #endOfPlain(from: number): number {
    const text = this.#text
    let at = from
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === QUOTE || code === BACKSLASH) return at
      if (code >= 0x20) at += 1
      else throw this.#brokenString(at)
    }
  }

  #brokenString(at: number): IngotError {
    const what = at < this.#text.length ? 'a control character is not escaped' : 'a string does not end'
    return refusal(this.#source, at, 'JSON_INVALID', what)
  }

  #readEscape(at: number): { readonly character: string; readonly length: number } {
    const short = SHORT_ESCAPES.get(this.#text[at + 1])
    if (short !== undefined) return { character: short, length: 2 }
    const unit = this.#escapedUnit(at)
    if (unit === undefined) throw refusal(this.#source, at, 'JSON_INVALID', 'no such escape')
    if (unit < 0xd800 || unit > 0xdfff) return { character: String.fromCharCode(unit), length: 6 }
    const next = unit < 0xdc00 ? this.#escapedUnit(at + 6) : undefined
    if (next === undefined || next < 0xdc00 || next > 0xdfff) throw this.#loneSurrogate(at)
    return { character: String.fromCharCode(unit, next), length: 12 }
  }

  /** Returns the UTF-16 code unit of the `\uXXXX` at an index, or undefined if there is none. */
  #escapedUnit(at: number): number | undefined {
    const text = this.#text
    if (text.charCodeAt(at) !== BACKSLASH || text.charCodeAt(at + 1) !== 0x75) return undefined
    let unit = 0
    for (let digit = at + 2; digit < at + 6; digit += 1) unit = unit * 16 + hexValue(text.charCodeAt(digit))
    return Number.isNaN(unit) ? undefined : unit
  }

  #readWord(word: string): string {
    if (!this.#text.startsWith(word, this.#at)) throw this.#invalid('expected a value')
    this.#at += word.length
    return word
  }

  #readNumber(): string {
    const start = this.#at
    const whole = this.#skipNumber()
    const token = this.#text.slice(start, this.#at)
    if (whole && token.length <= SURE_LENGTH && token !== '-0') return token
    const text = canonicalNumber(token)
    if (text === undefined) throw imprecise(this.#source, start, token)
    return text
  }

  /** Skips a number. Returns true if it has neither fraction nor exponent. */
  #skipNumber(): boolean {
    const negative = this.#skip(MINUS)
    const whole = this.#at
    this.#skipDigits(negative ? 'expected a digit' : 'expected a value')
    if (this.#at > whole + 1 && this.#text.charCodeAt(whole) === ZERO) {
      throw refusal(this.#source, whole, 'JSON_INVALID', 'a number begins with a needless 0')
    }
    const fraction = this.#skip(POINT)
    if (fraction) this.#skipDigits('expected a digit')
    if (!this.#skip(0x65) && !this.#skip(0x45)) return !fraction
    if (!this.#skip(MINUS)) this.#skip(PLUS)
    this.#skipDigits('expected a digit')
    return false
  }

  #skipDigits(what: string): void {
    const first = this.#at
    let code = this.#text.charCodeAt(first)
    while (code >= ZERO && code <= NINE) code = this.#text.charCodeAt((this.#at += 1))
    if (this.#at === first) throw this.#invalid(what)
  }

  #loneSurrogate(at: number): IngotError {
    return refusal(this.#source, at, 'JSON_LONE_SURROGATE', 'half of a surrogate pair')
  }

  #invalid(what: string): IngotError {
    return refusal(this.#source, this.#at, 'JSON_INVALID', what)
  }
}

/** Maximum length of an integer that is certainly below 2^53, and therefore the text of its own double, except -0. */
const SURE_LENGTH = 15

/** Returns NaN for a character that is not a hex digit. NaN propagates through the arithmetic. */
function hexValue(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN
}

const SHORT_ESCAPES: ReadonlyMap<string | undefined, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

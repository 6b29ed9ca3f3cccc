/**
 * The strict reader of JSON (RFC 8259, with I-JSON's rules on names, numbers and Unicode). It loses nothing: a member
 * named twice, a number that a double would round, half of a surrogate pair or nesting beyond the limit are refused.
 * Time is linear in the text; the stack it uses is bounded by the depth limit.
 *
 * Not `JSON.parse`, for a reason beside strictness: V8 12.8 to 14.6 at least now and then reads a member name that
 * begins with an escape as another name (nodejs/node#63785), which would make two items one.
 */
import type { Fault } from '../std/fault.ts'
import type { Json } from './canonical.ts'
import { isPrecise } from './number.ts'
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

/** The value of a JSON text. @throws Fault with `facts.position`, and `facts.token` for a number */
export function readStrictly(source: Source): Json {
  return new Reader(source).readText()
}

/** One reading of one text. Each `#readX` expects an X at `#at` and leaves `#at` behind it. */
class Reader {
  readonly #source: Source
  readonly #text: string
  #at = 0

  constructor(source: Source) {
    this.#source = source
    this.#text = source.text
  }

  readText(): Json {
    this.#refuseRawSurrogates()
    this.#skipSpace()
    const value = this.#readValue(0)
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#invalid('expected the end after the value')
    return value
  }

  /** UTF-8 cannot bring these in, a string can. Escaped ones are refused where they stand. */
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

  #readValue(depth: number): Json {
    switch (this.#text.charCodeAt(this.#at)) {
      case OPEN_BRACE:
        return this.#readObject(depth + 1)
      case OPEN_BRACKET:
        return this.#readArray(depth + 1)
      case QUOTE:
        return this.#readString()
      case 0x74:
        return this.#readWord('true', true)
      case 0x66:
        return this.#readWord('false', false)
      case 0x6e:
        return this.#readWord('null', null)
      default:
        return this.#readNumber()
    }
  }

  /** Steps over the opening mark. */
  #enter(depth: number): void {
    const { maxDepth } = this.#source
    if (depth > maxDepth) throw refusal(this.#source, this.#at, 'JSON_TOO_DEEP', `more than ${maxDepth} levels deep`)
    this.#at += 1
    this.#skipSpace()
  }

  #readArray(depth: number): Json {
    this.#enter(depth)
    const members: Json[] = []
    if (this.#skip(CLOSE_BRACKET)) return members
    for (;;) {
      members.push(this.#readValue(depth))
      this.#skipSpace()
      if (this.#skip(CLOSE_BRACKET)) return members
      if (!this.#skip(COMMA)) throw this.#invalid('expected "," or "]"')
      this.#skipSpace()
    }
  }

  #readObject(depth: number): Json {
    this.#enter(depth)
    // Without a prototype: "__proto__" is a name as any other.
    const members: Record<string, Json> = { __proto__: null }
    if (this.#skip(CLOSE_BRACE)) return members
    for (;;) {
      const name = this.#readName(members)
      members[name] = this.#readValue(depth)
      this.#skipSpace()
      if (this.#skip(CLOSE_BRACE)) return members
      if (!this.#skip(COMMA)) throw this.#invalid('expected "," or "}"')
      this.#skipSpace()
    }
  }

  /** A name that is not yet among the members, and its colon. */
  #readName(members: Readonly<Record<string, Json>>): string {
    const start = this.#at
    if (this.#text.charCodeAt(start) !== QUOTE) throw this.#invalid('expected a member name in double quotes')
    const name = this.#readString()
    if (name in members) throw refusal(this.#source, start, 'JSON_DUPLICATE_MEMBER', 'a member named twice')
    this.#skipSpace()
    if (!this.#skip(COLON)) throw this.#invalid('expected ":"')
    this.#skipSpace()
    return name
  }

  #skip(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at += 1
    return true
  }

  #readString(): string {
    let value = ''
    let from = this.#at + 1
    for (let at = from; ; ) {
      const code = this.#text.charCodeAt(at)
      if (code === QUOTE) {
        this.#at = at + 1
        return value + this.#text.slice(from, at)
      }
      if (code === BACKSLASH) {
        const escape = this.#readEscape(at)
        value += this.#text.slice(from, at) + escape.character
        from = at += escape.length
      } else if (code >= 0x20) at += 1
      else throw this.#brokenString(at)
    }
  }

  #brokenString(at: number): Fault {
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

  /** The UTF-16 code unit of the `\uXXXX` at an index, if there is one. */
  #escapedUnit(at: number): number | undefined {
    const escape = this.#text.slice(at, at + 6)
    return UNIT_ESCAPE.test(escape) ? Number.parseInt(escape.slice(2), 16) : undefined
  }

  #readWord<W extends Json>(word: string, value: W): W {
    if (!this.#text.startsWith(word, this.#at)) throw this.#invalid('expected a value')
    this.#at += word.length
    return value
  }

  #readNumber(): number {
    const start = this.#at
    this.#skipNumber()
    const token = this.#text.slice(start, this.#at)
    if (isPrecise(token)) return Number(token)
    throw imprecise(this.#source, start, token)
  }

  #skipNumber(): void {
    const negative = this.#skip(MINUS)
    const whole = this.#at
    this.#skipDigits(negative ? 'expected a digit' : 'expected a value')
    if (this.#at > whole + 1 && this.#text.charCodeAt(whole) === ZERO) {
      throw refusal(this.#source, whole, 'JSON_INVALID', 'a number begins with a needless 0')
    }
    if (this.#skip(POINT)) this.#skipDigits('expected a digit')
    if (!this.#skip(0x65) && !this.#skip(0x45)) return
    if (!this.#skip(MINUS)) this.#skip(PLUS)
    this.#skipDigits('expected a digit')
  }

  #skipDigits(what: string): void {
    const first = this.#at
    let code = this.#text.charCodeAt(first)
    while (code >= ZERO && code <= NINE) code = this.#text.charCodeAt((this.#at += 1))
    if (this.#at === first) throw this.#invalid(what)
  }

  #loneSurrogate(at: number): Fault {
    return refusal(this.#source, at, 'JSON_LONE_SURROGATE', 'half of a surrogate pair')
  }

  #invalid(what: string): Fault {
    return refusal(this.#source, this.#at, 'JSON_INVALID', what)
  }
}

const UNIT_ESCAPE = /^\\u[0-9a-fA-F]{4}$/

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

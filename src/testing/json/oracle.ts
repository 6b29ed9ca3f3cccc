/**
 * Decides whether two JSON texts are the same item. An independent implementation for property tests: it shares no code with
 * src/identity, has a tokenizer of one regular expression, and represents numbers as BigInt mantissa and exponent. It
 * neither uses JSON.parse nor sorts canonical texts, and is not optimized.
 */

export type Verdict =
  /** `key` is equal exactly for equal values. */
  | { readonly accepted: true; readonly key: string }
  /** `wellFormed`: RFC 8259 accepts the text, the stricter rules do not. */
  | { readonly accepted: false; readonly wellFormed: boolean }

type Token = readonly [kind: 'mark' | 'word' | 'number' | 'string', text: string]

const TOKEN =
  /[ \t\n\r]*(?:(?<mark>[[\]{},:])|(?<word>true|false|null)|(?<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|"(?<string>(?:[ !#-[\]-\uffff]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)")/y

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = []
  const pattern = new RegExp(TOKEN)
  const end = text.replace(/[ \t\n\r]*$/, '').length
  while (pattern.lastIndex < end) {
    const groups = pattern.exec(text)?.groups
    if (groups === undefined) return undefined
    for (const kind of ['mark', 'word', 'number', 'string'] as const) {
      const found = groups[kind]
      if (found !== undefined) tokens.push([kind, found])
    }
  }
  return tokens
}

interface State {
  readonly tokens: Token[]
  readonly maxDepth: number
  strict: boolean
}

class Malformed extends Error {}

/** Returns the result of the stricter rules for any text. The text itself must be valid Unicode, not only its strings. */
export function judge(text: string, maxDepth: number): Verdict {
  const tokens = tokensOf(text)
  if (tokens === undefined) return { accepted: false, wellFormed: false }
  const state: State = { tokens: tokens.toReversed(), maxDepth, strict: !/\p{Surrogate}/u.test(text) }
  try {
    const key = keyOfNext(state, 0)
    if (state.tokens.length > 0) return { accepted: false, wellFormed: false }
    return state.strict ? { accepted: true, key } : { accepted: false, wellFormed: true }
  } catch (error) {
    if (error instanceof Malformed) return { accepted: false, wellFormed: false }
    throw error
  }
}

function keyOfNext(state: State, depth: number): string {
  const [kind, text] = state.tokens.pop() ?? ['mark', 'end']
  if (kind === 'word') return text
  if (kind === 'number') return keyOfNumber(state, text)
  if (kind === 'string') return keyOfString(state, text)
  if (text !== '{' && text !== '[') throw new Malformed()
  if (depth === state.maxDepth) state.strict = false
  return text === '[' ? keyOfArray(state, depth + 1) : keyOfObject(state, depth + 1)
}

function keyOfArray(state: State, depth: number): string {
  const keys: string[] = []
  if (nextIs(state, ']')) return '<>'
  do keys.push(keyOfNext(state, depth))
  while (nextIs(state, ','))
  expectNext(state, ']')
  return `<${keys.join(' ')}>`
}

/** The order of members does not matter, so their keys are sorted (any fixed order is right). */
function keyOfObject(state: State, depth: number): string {
  const names: string[] = []
  const keys: string[] = []
  if (nextIs(state, '}')) return '()'
  do {
    const [kind, raw] = state.tokens.pop() ?? ['mark', 'end']
    if (kind !== 'string') throw new Malformed()
    const name = keyOfString(state, raw)
    if (names.includes(name)) state.strict = false
    names.push(name)
    expectNext(state, ':')
    keys.push(`${name}=${keyOfNext(state, depth)}`)
  } while (nextIs(state, ','))
  expectNext(state, '}')
  return `(${keys.toSorted((a, b) => a.localeCompare(b)).join(' ')})`
}

function nextIs(state: State, mark: string): boolean {
  const [kind, text] = state.tokens.at(-1) ?? ['word', '']
  if (kind !== 'mark' || text !== mark) return false
  state.tokens.pop()
  return true
}

function expectNext(state: State, mark: string): void {
  if (!nextIs(state, mark)) throw new Malformed()
}

const SHORT: Readonly<Record<string, number>> = { '"': 34, '\\': 92, '/': 47, b: 8, f: 12, n: 10, r: 13, t: 9 }

/** Returns the code points of a string in hex. */
function keyOfString(state: State, raw: string): string {
  const plain = raw.replace(/\\(?:u(....)|(.))/gs, (_, hex: string | undefined, short: string) =>
    String.fromCharCode(hex === undefined ? (SHORT[short] ?? 0) : Number(`0x${hex}`)),
  )
  const points = Array.from(plain, (character) => character.codePointAt(0) ?? 0)
  if (points.some((point) => point >= 0xd800 && point <= 0xdfff)) state.strict = false
  return `'${points.map((point) => point.toString(16)).join('.')}'`
}

/** Larger than the exponent of any double, and the limit of this slow arithmetic. */
const FAR = 5_000n

function keyOfNumber(state: State, token: string): string {
  const exact = decimalOf(token)
  const double = Number(token)
  if (!Number.isFinite(double) || decimalOf(`${double}`) !== exact) state.strict = false
  return exact
}

/** Returns the smallest mantissa and its power of ten. */
function decimalOf(token: string): string {
  const [coefficient = '', power = '0'] = token.toLowerCase().split('e')
  const [whole = '', fraction = ''] = coefficient.split('.')
  let mantissa = BigInt(`${whole}${fraction}`.replace('-', ''))
  if (mantissa === 0n) return '0'
  let exponent = BigInt(power.replace('+', '')) - BigInt(fraction.length)
  if (exponent > FAR || exponent < -FAR * 10n) return `far ${token}`
  while (mantissa % 10n === 0n) {
    mantissa /= 10n
    exponent += 1n
  }
  return `${whole.startsWith('-') ? '-' : ''}${mantissa}e${exponent}`
}

/**
 * Decides which number tokens are precise. RFC 8785 represents numbers as doubles, so a token is precise if its decimal
 * value equals the decimal value of the text of its double. No number is ever rounded into another item. Time and
 * memory are linear in the token: exponents are compared, never expanded.
 */

/**
 * A decimal value: 0.`digits` times ten to the `exponent`. The first and last digits are not zero; zero has no digits.
 */
interface Decimal {
  readonly negative: boolean
  readonly digits: string
  readonly exponent: number
}

const PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/**
 * Returns the RFC 8785 text of a JSON number token, or `undefined` if its decimal value differs from that of the token.
 */
export function canonicalNumber(token: string): string | undefined {
  const text = String(Number(token))
  return text === token || sameDecimal(parseDecimal(token), parseDecimal(text)) ? text : undefined
}

/** Returns `undefined` for a text that is not a decimal number: "Infinity", the double of a token beyond the range. */
function parseDecimal(token: string): Decimal | undefined {
  const parts = PARTS.exec(token)
  if (parts === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  const all = whole + fraction
  const first = leadingZeros(all)
  const digits = all.slice(first, endWithoutZeros(all, first))
  // An exponent beyond 2^53 loses digits here. This is harmless, because no double equals such a nonzero value.
  return { negative: sign === '-', digits, exponent: Number(exponent) + whole.length - first }
}

function sameDecimal(a: Decimal | undefined, b: Decimal | undefined): boolean {
  if (a === undefined || b === undefined || a.digits !== b.digits) return false
  return a.digits === '' || (a.exponent === b.exponent && a.negative === b.negative)
}

const ZERO = 48

function leadingZeros(digits: string): number {
  let at = 0
  while (digits.charCodeAt(at) === ZERO) at += 1
  return at
}

function endWithoutZeros(digits: string, from: number): number {
  let end = digits.length
  while (end > from && digits.charCodeAt(end - 1) === ZERO) end -= 1
  return end
}

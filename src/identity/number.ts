/**
 * Which number tokens stand for a value that survives. A double is what RFC 8785 knows, so a token is precise when its
 * decimal value equals the decimal value of that double's text: nothing is ever rounded into another item.
 * Time is linear in the token, memory too: exponents are compared, never carried out.
 */

/** A decimal value: 0.`digits` times ten to the `exponent`; digits begin and end with 1 to 9, or are empty for zero. */
interface Decimal {
  readonly negative: boolean
  readonly digits: string
  readonly exponent: number
}

const PARTS = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** The RFC 8785 text of a JSON number token; `undefined` when its decimal value differs from the token's. */
export function canonicalNumber(token: string): string | undefined {
  const text = String(Number(token))
  return text === token || sameDecimal(parseDecimal(token), parseDecimal(text)) ? text : undefined
}

/** `undefined` for what is no decimal number: the "Infinity" that a token beyond the largest double becomes. */
function parseDecimal(token: string): Decimal | undefined {
  const parts = PARTS.exec(token)
  if (parts === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  const all = whole + fraction
  const first = leadingZeros(all)
  const digits = all.slice(first, endWithoutZeros(all, first))
  // An exponent beyond 2^53 loses digits here, which is harmless: a nonzero value that far out equals no double's.
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

/**
 * Parses lists of integers as Postgres writes them, `{1,-2,3}`. The driver's own parser supports every kind of array,
 * makes a string of each element first, and leaves 64-bit elements as strings. With a batch of duplicates that took a
 * tenth of the service's time. This parser supports integers that a double holds exactly. It refuses larger ones, NULL
 * and nested lists.
 */
import pg from 'pg'

const ZERO = 0x30
const COMMA = 0x2c
const MINUS = 0x2d

/** Returns the integers. Throws RangeError for anything but a flat list of integers that a double holds exactly. */
export function parseIntegers(text: string): number[] {
  const end = text.length - 1
  if (text[0] !== '{' || text[end] !== '}') throw new RangeError(`no list of integers: ${text.slice(0, 40)}`)
  const list: number[] = []
  for (let at = 1; at < end; ) {
    const next = text.indexOf(',', at)
    const stop = next === -1 ? end : next
    list.push(parseInteger(text, at, stop))
    at = stop + 1
  }
  if (text.charCodeAt(end - 1) === COMMA) throw new RangeError(`a list that ends in a comma: ${text.slice(-40)}`)
  return list
}

function parseInteger(text: string, from: number, to: number): number {
  const negative = text.charCodeAt(from) === MINUS
  const first = negative ? from + 1 : from
  let value = first < to ? 0 : Number.NaN
  for (let at = first; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN
  }
  if (!Number.isSafeInteger(value)) throw new RangeError(`no integer that fits: ${text.slice(from, to).slice(0, 40)}`)
  return negative ? -value : value
}

/** Type numbers (pg_type.oid) of `integer[]` and `bigint[]`, the same on every server. */
const INTEGERS: ReadonlySet<number> = new Set([1_007, 1_016])

/** Parsers for the driver: its own, except for lists of integers. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser(type: number, format: 'text' | 'binary' = 'text'): unknown {
    if (INTEGERS.has(type) && format === 'text') return parseIntegers
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum lists only the built-in types, but every number is valid
    const parse: unknown = pg.types.getTypeParser(type, format)
    return parse
  },
}

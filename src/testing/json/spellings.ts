/**
 * Writes one JSON value in many ways, for property tests of code that must not depend on the spelling.
 */
import fc from 'fast-check'
import { createRandom } from '../../std/random.ts'

/** A generated value. Numbers are doubles, because only those keep their value in every spelling. */
export type Sample = null | boolean | number | string | readonly Sample[] | ReadonlyMap<string, Sample>

const NAMES = [
  'a',
  'b',
  'B',
  '1',
  '2',
  '10',
  '01',
  '-1',
  '',
  '__proto__',
  'constructor',
  'toJSON',
  'é',
  'é',
  '\ufb33',
  '😀',
  '"',
  '\\',
  '\u0000',
  '\u2028',
  '4294967295',
  '1e1',
]

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom(...NAMES, '\\ud800', '\u001f\u007f\u0080', '/', '\b\f\n\r\t'),
)
const double = fc.oneof(
  fc.integer(),
  fc.integer({ min: -9, max: 9 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 2 ** 53, 1e23, 0.1, 1e300),
)

/** Generates any value of an item, with at most six levels. */
export const sample: fc.Arbitrary<Sample> = fc.letrec<{ value: Sample }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    double,
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    fc
      .uniqueArray(fc.tuple(fc.oneof(fc.constantFrom(...NAMES), text), tie('value')), {
        selector: ([name]) => name,
        maxLength: 7,
      })
      .map((members) => new Map(members)),
  ),
})).value

/** Returns a source of choices below a bound, deterministic by seed. */
export type Choose = (below: number) => number

export function chooser(seed: number): Choose {
  const random = createRandom(seed)
  return (below) => random.between(0, below - 1)
}

/** Returns the value in one of its spellings. Uses every freedom that JSON has. */
export function spell(value: Sample, choose: Choose): string {
  return `${space(choose)}${spellBare(value, choose)}${space(choose)}`
}

function spellBare(value: Sample, choose: Choose): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return spellNumber(value, choose)
  if (typeof value === 'string') return spellString(value, choose)
  if (value instanceof Map) {
    const members = shuffled([...value], choose)
    return `{${members.map(([name, member]) => `${space(choose)}${spellString(name, choose)}${space(choose)}:${spell(member, choose)}`).join(',') || space(choose)}}`
  }
  return `[${[...value].map((member) => spell(member, choose)).join(',') || space(choose)}]`
}

/** Returns white space, in half of all places none, otherwise texts would be mostly white space. */
function space(choose: Choose): string {
  return [' ', '\n', '\r\n', '\t \t'][choose(8)] ?? ''
}

function shuffled<T>(list: readonly T[], choose: Choose): T[] {
  const rest = [...list]
  return list.flatMap(() => rest.splice(choose(rest.length), 1))
}

const SHORT = new Map(Array.from('"\\/\b\f\n\r\t', (character, at) => [character, `\\${'"\\/bfnrt'[at]}`]))

function spellString(value: string, choose: Choose): string {
  return `"${Array.from(value, (character) => spellCharacter(character, choose)).join('')}"`
}

function spellCharacter(character: string, choose: Choose): string {
  const way = choose(4)
  const short = SHORT.get(character)
  if (short !== undefined && way < 2) return short
  if (way === 0 || (short !== undefined && character !== '/') || character < ' ')
    return character
      .split('')
      .map((unit) => escaped(unit, choose))
      .join('')
  return character
}

function escaped(unit: string, choose: Choose): string {
  const hex = unit.charCodeAt(0).toString(16).padStart(4, '0')
  return `\\u${choose(2) === 0 ? hex : hex.toUpperCase()}`
}

/** Pads with zeros on both sides, moves the decimal point, and adjusts the exponent. */
function spellNumber(value: number, choose: Choose): string {
  if (Object.is(value, -0)) return choose(2) === 0 ? '0' : '-0.0e5'
  if (choose(3) === 0) return String(value)
  const [coefficient = '', power = '0'] = String(Math.abs(value)).split('e')
  const [whole = '', fraction = ''] = coefficient.split('.')
  const before = choose(3)
  const digits = `${'0'.repeat(before)}${whole}${fraction}${'0'.repeat(choose(3))}`
  const point = 1 + choose(digits.length)
  const exponent = Number(power) + before + whole.length - point
  const body =
    digits.slice(0, point).replace(/^0+(?=\d)/, '') + (point < digits.length ? `.${digits.slice(point)}` : '')
  return `${value < 0 ? '-' : ''}${body}${spellExponent(exponent, choose)}`
}

function spellExponent(exponent: number, choose: Choose): string {
  if (exponent === 0 && choose(2) === 0) return ''
  const sign = exponent < 0 ? '-' : (['', '+'][choose(2)] ?? '')
  return `${choose(2) === 0 ? 'e' : 'E'}${sign}${'0'.repeat(choose(3))}${Math.abs(exponent)}`
}

const INSERTED = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '0',
  '1',
  '-',
  '.',
  'e',
  '+',
  'null',
  't',
  '\\u',
  'd83d',
  '\\ud83d',
  '\\ude00',
  '\u0001',
  '\ud800',
  '\ufeff',
  '1e400',
  '9007199254740993',
  '"a":1,',
  '[[[[[[[[',
  ']]]]]]]]',
]

/** Returns the text with one to three small changes, some of which keep it valid. */
export function damaged(whole: string, choose: Choose): string {
  let result = whole
  for (let left = 1 + choose(3); left > 0; left -= 1) {
    const at = choose(result.length + 1)
    const end = Math.min(result.length, at + choose(4))
    const inserted = choose(3) === 0 ? result.slice(at, end + choose(6)) : (INSERTED[choose(INSERTED.length * 2)] ?? '')
    result = `${result.slice(0, at)}${inserted}${result.slice(end)}`
  }
  return result
}

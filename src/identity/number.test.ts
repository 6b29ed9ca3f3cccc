import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judge } from '../testing/json/oracle.ts'
import { canonicalNumber } from './number.ts'

test.each([
  ['1.0', '1'],
  ['1e0', '1'],
  ['10e-1', '1'],
  ['0.1', '0.1'],
  ['0.10', '0.1'],
  ['1E400', undefined],
  ['1e-400', undefined],
  ['-1e-400', undefined],
  ['-0', '0'],
  ['-0.000e-5', '0'],
  ['0e999999999', '0'],
  ['0e-99999999999999999999999', '0'],
  ['1e99999999999999999999999', undefined],
  ['1e-99999999999999999999999', undefined],
  ['9007199254740991', '9007199254740991'],
  ['9007199254740992', '9007199254740992'],
  ['9007199254740993', undefined],
  ['9007199254740994', '9007199254740994'],
  ['-9007199254740993', undefined],
  ['9007199254740993.0', undefined],
  ['0.9007199254740993e16', undefined],
  ['123456789012345678', undefined],
  ['1e23', '1e+23'],
  ['100000000000000000000000', '1e+23'],
  ['1e21', '1e+21'],
  ['1000000000000000000000', '1e+21'],
  ['123e18', '123000000000000000000'],
  ['0.000001', '0.000001'],
  ['0.0000001', '1e-7'],
  ['5e-324', '5e-324'],
  ['4e-324', undefined],
  ['4.9406564584124654e-324', undefined],
  ['1.7976931348623157e308', '1.7976931348623157e+308'],
  ['1.7976931348623159e308', undefined],
  ['0.1000000000000000055511151231257827021181583404541015625', undefined],
  ['0.30000000000000004', '0.30000000000000004'],
  ['3.141592653589793238', undefined],
  ['1152921504606846976', undefined],
  ['1152921504606847000', '1152921504606847000'],
  ['1e+000000000000000000002', '100'],
])('%s is %s', (token, text) => {
  expect(canonicalNumber(token)).toBe(text)
})

test('accepts a token exactly if exact decimal arithmetic does', () => {
  const digits = fc.stringMatching(/^[0-9]{1,22}$/)
  const token = fc
    .tuple(fc.constantFrom('', '-'), digits, fc.option(digits), fc.option(fc.integer({ min: -340, max: 340 })))
    .map(([sign, whole, fraction, exponent]) =>
      [
        sign,
        whole.replace(/^0+(?=.)/, ''),
        fraction === null ? '' : `.${fraction}`,
        exponent === null ? '' : `e${exponent}`,
      ].join(''),
    )
  fc.assert(
    fc.property(token, (text) => {
      expect(canonicalNumber(text) !== undefined).toBe(judge(text, 1).accepted)
    }),
    { numRuns: 20_000 },
  )
})

test('accepts every double as ECMAScript writes it, and refuses its neighbours in the last digit', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
      const text = String(double)
      expect(canonicalNumber(text)).toBe(text === '-0' ? '0' : text)
      const [coefficient = '', exponent] = text.split('e')
      if (coefficient.replace(/\D/g, '').length < 16 || !coefficient.includes('.')) return
      expect(canonicalNumber(`${coefficient}001${exponent === undefined ? '' : `e${exponent}`}`)).toBeUndefined()
    }),
    { numRuns: 2_000 },
  )
})

test('takes time linear in the token, for any exponent', () => {
  const zeros = '0'.repeat(4_000_000)
  const start = process.cpuUsage()
  expect(canonicalNumber(`1${zeros}e-4000000`)).toBe('1')
  expect(canonicalNumber(`0.${zeros}1e4000001`)).toBe('1')
  expect(canonicalNumber(`0.${zeros}`)).toBe('0')
  expect(canonicalNumber('9'.repeat(4_000_000))).toBeUndefined()
  expect(canonicalNumber(`${'1'.repeat(4_000_000)}e-4000000`)).toBeUndefined()
  expect(process.cpuUsage(start).user / 1_000).toBeLessThan(3_000)
})

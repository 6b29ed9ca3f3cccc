import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLineSplitter, type Line } from './lines.ts'

function split(chunks: readonly Uint8Array[], limit = 1_000): Line[] {
  const splitter = createLineSplitter(limit)
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()]
}

/** Cuts bytes at these offsets. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length))
}

const lineBytes = fc
  .uint8Array({ maxLength: 30 })
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13)))

test('returns the same lines for any chunks, with LF or CRLF', () => {
  fc.assert(
    fc.property(fc.array(lineBytes), fc.array(fc.nat()), fc.boolean(), (lines, places, crlf) => {
      const input = Buffer.concat(lines.flatMap((line) => [line, Buffer.from(crlf ? '\r\n' : '\n')]))
      const got = split(cut(input, places))
      expect(got.map((one) => one.bytes)).toEqual(lines)
      expect(got.map((one) => one.line)).toEqual(lines.map((_, index) => index + 1))
    }),
  )
})

test('reports exactly the lines beyond the limit as too long, and goes on', () => {
  fc.assert(
    fc.property(fc.array(lineBytes), fc.array(fc.nat()), fc.nat(30), (lines, places, limit) => {
      const input = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\r\n')]))
      const got = split(cut(input, places), limit)
      expect(got.map((one) => one.tooLong)).toEqual(lines.map((line) => line.length > limit))
    }),
  )
})

test('returns an unterminated last line, and no extra line after a final line feed', () => {
  expect(split([Buffer.from('a\nb')]).map((one) => one.bytes.toString())).toEqual(['a', 'b'])
  expect(split([Buffer.from('a\n')]).map((one) => one.bytes.toString())).toEqual(['a'])
  expect(split([])).toEqual([])
})

test('keeps nothing of a line that is too long', () => {
  const splitter = createLineSplitter(1_000)
  const chunk = Buffer.alloc(1 << 20, 0x61)
  const before = process.memoryUsage().arrayBuffers
  for (let n = 0; n < 1_024; n++) expect(splitter.push(chunk)).toEqual([])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20)
  expect(splitter.push(Buffer.from('\nnext\n')).map((one) => [one.line, one.tooLong])).toEqual([
    [1, true],
    [2, false],
  ])
})

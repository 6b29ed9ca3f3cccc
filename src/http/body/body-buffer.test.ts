import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBodyBuffer } from './body-buffer.ts'

/** Adds chunks. Returns the complete body, and the total that was reserved before each segment. */
function collect(chunks: readonly Buffer[], announced?: number): { whole: Buffer; reserved: readonly number[] } {
  const reserved: number[] = []
  const body = createBodyBuffer({ announced, reserve: (bytes) => void reserved.push(bytes) })
  for (const chunk of chunks) body.append(chunk)
  return { whole: body.toBuffer(), reserved }
}

test('returns the bytes unchanged for any chunks, announced or not', () => {
  const chunk = fc.uint8Array({ maxLength: 40_000 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), fc.boolean(), (chunks, announces) => {
      const bytes = Buffer.concat(chunks)
      expect(collect(chunks, announces ? bytes.length : undefined).whole.equals(bytes)).toBe(true)
    }),
  )
})

test('a body in chunks of one byte takes as few segments as one in large chunks', () => {
  const byte = Buffer.from('1')
  const chunks = Array.from({ length: 200_000 }, () => byte)
  const { whole, reserved } = collect(chunks)
  expect(whole).toHaveLength(200_000)
  expect(reserved.length).toBeLessThan(12)
  expect(reserved.at(-1)).toBeLessThan(2 * 200_000)
})

test('allocates exactly the announced length of a short body, and does not copy it again', () => {
  const { whole, reserved } = collect([Buffer.from('{"a":'), Buffer.from('1}')], 7)
  expect(reserved).toEqual([7])
  expect(whole.buffer.byteLength).toBe(7)
})

test('allocates little for a long body that is announced and does not come', () => {
  expect(collect([Buffer.from('[')], 16_777_216).reserved).toEqual([16_384])
})

test('allocates nothing when the reservation is refused', () => {
  const body = createBodyBuffer({
    announced: undefined,
    reserve: () => {
      throw new RangeError('full')
    },
  })
  expect(() => body.append(Buffer.from('x'))).toThrow('full')
  expect(body.length).toBe(0)
})

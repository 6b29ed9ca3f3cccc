import { expect, test } from 'vitest'
import { inOrder, prefixOf, queueOf } from './requests.ts'
import { Frames, Reader, Writer } from './wire.ts'

test('a queue is in the order of its numbers, whatever the tokens are', () => {
  expect(inOrder(['z.0000000002', 'a.0000000010', 'm.0000000001'])).toEqual([
    'm.0000000001',
    'z.0000000002',
    'a.0000000010',
  ])
  expect(inOrder(['token--.0000000002', 'token-.0000000001', 'not-of-a-queue'])).toEqual([
    'token-.0000000001',
    'token--.0000000002',
  ])
})

test('the order continues where the numbers overflow; an order by size would not', () => {
  const names = ['late.-2147483648', 'early.2147483647']
  expect(inOrder(names)).toEqual(['early.2147483647', 'late.-2147483648'])
  const bySize = names.toSorted((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]))
  expect(bySize[0]).toBe('late.-2147483648')
})

test('names contain no slash of a key or a token, and no key is the beginning of another', () => {
  expect(queueOf('/ingot/locks', 'a/b?c').split('/')).toHaveLength(4)
  expect(prefixOf('a/b')).not.toContain('/')
  expect(prefixOf('ab').startsWith(prefixOf('a'))).toBe(false)
})

test('frames are found however the bytes arrive, and a response of another protocol is refused', () => {
  const bytes = Buffer.concat([new Writer().text('first').frame(), new Writer().int(7).long(-1n).frame()])
  for (const size of [1, 3, 100]) {
    const frames = new Frames()
    const found: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) found.push(...frames.add(bytes.subarray(at, at + size)))
    expect(found.map((frame) => frame.length)).toEqual([9, 12])
    expect(new Reader(found[0] ?? bytes).text()).toBe('first')
    expect(new Reader(found[1] ?? bytes).int()).toBe(7)
  }
  expect(() => new Frames().add(Buffer.from('HTTP/1.1 400 Bad Request'))).toThrow('not that of a ZooKeeper')
  expect(() => new Reader(new Writer().int(100).content()).text()).toThrow(RangeError)
})

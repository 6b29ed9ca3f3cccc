import { expect, test } from 'vitest'
import { Fault } from '../std/fault.ts'
import { contentIdOf, formatContentId, parseContentId } from './content-id.ts'
import { DEFAULT_POLICY } from './policy.ts'

const id = (t: string) => formatContentId('json', contentIdOf(DEFAULT_POLICY, Buffer.from(t)))
test('spelling does not matter', () => {
  expect(id('{"a":1,"b":[1.0,"\\u0041"]}')).toBe(id(' { "b" : [1e0,"A"] , "a":10e-1 } '))
  expect(parseContentId(id('{}'))?.kind).toBe('json')
  for (const bad of [
    '9007199254740993',
    '1e400',
    '1e-400',
    '{"a":1,"a":1}',
    '"\\ud800"',
    '',
    '[',
    '01',
    '{"a":01}',
    '[1,]',
    '\ufeff1',
    '"\\x"',
    '-',
    '1.',
    '"a',
  ])
    expect(() => id(bad)).toThrow(Fault)
})

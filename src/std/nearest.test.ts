import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const COMMANDS = ['serve', 'ingest', 'export', 'verify', 'openapi']

test('a slip of the fingers is recognised', () => {
  for (const [typed, meant] of [
    ['sreve', 'serve'],
    ['ingset', 'ingest'],
    ['exprot', 'export'],
    ['verfy', 'verify'],
    ['VERIFY', 'verify'],
    ['openap', 'openapi'],
  ] as const) {
    expect(nearest(typed, COMMANDS)).toBe(meant)
  }
})

test('a word that is like none is not guessed at', () => {
  expect(nearest('frobnicate', COMMANDS)).toBeUndefined()
  expect(nearest('', COMMANDS)).toBeUndefined()
  expect(nearest('serve', [])).toBeUndefined()
})

import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const COMMANDS = ['serve', 'ingest', 'export', 'verify', 'openapi']

test('recognises a typing error', () => {
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

test('returns nothing for a word that resembles none', () => {
  expect(nearest('frobnicate', COMMANDS)).toBeUndefined()
  expect(nearest('', COMMANDS)).toBeUndefined()
  expect(nearest('serve', [])).toBeUndefined()
})

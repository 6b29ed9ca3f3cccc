import { expect, test } from 'vitest'
import { kindClusterOf } from './kubectl.ts'

test('no other cluster than one of kind is touched', () => {
  expect(kindClusterOf('kind-ingot')).toBe('ingot')
  expect(() => kindClusterOf('production')).toThrow(/the current context is "production".*kind alone/)
})

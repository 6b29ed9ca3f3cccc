import { expect, test } from 'vitest'
import { kindClusterOf } from './cluster.ts'

test('only the context of a kind cluster is accepted', () => {
  expect(kindClusterOf('kind-ingot')).toBe('ingot')
  expect(() => kindClusterOf('production')).toThrow(/the current context is "production".*kind only/)
})

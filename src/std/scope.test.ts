import { expect, test } from 'vitest'
import { createScope } from './scope.ts'

test('releases in reverse order, once', async () => {
  const order: string[] = []
  const scope = createScope()
  scope.defer(() => void order.push('first'))
  scope.defer(async () => void order.push('second'))
  await Promise.all([scope.close(), scope.close()])
  expect(order).toEqual(['second', 'first'])
})

test('goes on after a failure and reports all failures', async () => {
  const order: string[] = []
  const scope = createScope()
  scope.defer(() => void order.push('released'))
  scope.defer(() => {
    throw new Error('a')
  })
  scope.defer(async () => Promise.reject(new Error('b')))
  const failure: unknown = await scope.close().catch((thrown: unknown) => thrown)
  expect(failure).toBeInstanceOf(AggregateError)
  expect((failure as AggregateError).errors).toHaveLength(2)
  expect(order).toEqual(['released'])
})

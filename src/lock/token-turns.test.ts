import { expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { createTokenTurns } from './token-turns.ts'

const turns = () =>
  createTokenTurns((thrown) => new IngotError('LOCK_BACKEND_UNAVAILABLE', `failed: ${String(thrown)}`))
const never = new AbortController().signal

test('a release waits for the acquisition that its caller gave up', async () => {
  const calls = turns()
  const order: string[] = []
  const answer = Promise.withResolvers<void>()
  const abort = new AbortController()
  const acquisition = calls.run(['t'], abort.signal, async () => {
    await answer.promise
    order.push('acquired')
  })
  abort.abort(new Error('too slow'))
  expect(await acquisition).toMatchObject({ kind: 'unavailable' })
  const release = calls.run(['t'], never, async () => void order.push('released'))
  await calls.run(['other'], never, async () => void order.push('another token'))
  answer.resolve()
  await release
  expect(order).toEqual(['another token', 'acquired', 'released'])
})

test('a call that failed does not stop the next one, and its error is described', async () => {
  const calls = turns()
  const failed = calls.run(['t'], never, () => Promise.reject(new Error('gone')))
  const next = calls.run(['t'], never, async () => 'fine')
  expect(await failed).toMatchObject({ kind: 'unavailable', error: { message: 'failed: Error: gone' } })
  expect(await next).toBe('fine')
})

test('a call whose signal aborts before its turn is left out', async () => {
  const calls = turns()
  const answer = Promise.withResolvers<void>()
  const first = calls.run(['a', 'b'], never, () => answer.promise)
  const abort = new AbortController()
  let ran = false
  const second = calls.run(['b'], abort.signal, async () => void (ran = true))
  abort.abort(new Error('enough'))
  expect(await second).toMatchObject({ kind: 'unavailable' })
  answer.resolve()
  await first
  await new Promise(setImmediate)
  expect(ran).toBe(false)
})

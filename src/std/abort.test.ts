import { expect, test } from 'vitest'
import { abortable } from './abort.ts'

test('what comes before the abort is the result', async () => {
  await expect(abortable(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1)
  const failure = new Error('failed')
  await expect(abortable(Promise.reject(failure), new AbortController().signal)).rejects.toBe(failure)
})

test('the abort ends waiting for something that never comes', async () => {
  const controller = new AbortController()
  const waiting = abortable(new Promise(() => {}), controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(waiting).rejects.toBe(reason)
})

test('with a signal that has aborted nothing is waited for', async () => {
  const reason = new Error('enough')
  await expect(abortable(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason)
})

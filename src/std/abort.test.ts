import { expect, test } from 'vitest'
import { abortable } from './abort.ts'

test('returns the result if it comes before the abort', async () => {
  await expect(abortable(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1)
  const failure = new Error('failed')
  await expect(abortable(Promise.reject(failure), new AbortController().signal)).rejects.toBe(failure)
})

test('rejects at the abort while the promise is pending', async () => {
  const controller = new AbortController()
  const waiting = abortable(new Promise(() => {}), controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(waiting).rejects.toBe(reason)
})

test('does not wait if the signal has already aborted', async () => {
  const reason = new Error('enough')
  await expect(abortable(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason)
})

import { expect, test } from 'vitest'
import { createProgram } from './run-program.ts'

const signal = new AbortController().signal
const node = createProgram(process.execPath, 'install it')

test('a program answers what it printed, and gets its input', async () => {
  const script = 'process.stdin.pipe(process.stdout)'
  expect(await node(['-e', script], { signal, input: 'hello' })).toBe('hello')
})

test('one that is missing says what to do', async () => {
  const missing = createProgram('no-such-program', 'install no-such-program')
  await expect(missing([], { signal })).rejects.toThrow('no-such-program cannot be run: install no-such-program')
})

test('one that fails says how it was called and what it printed', async () => {
  const script = "console.error('broken'); process.exit(3)"
  await expect(node(['-e', script], { signal })).rejects.toThrow(/ended with 3: broken/)
  expect(await node(['-e', script], { signal, allow: [3] })).toBe('')
})

test('one that takes too long, or is not wanted any more, is ended', async () => {
  const forever = ['-e', 'setInterval(() => {}, 1000)']
  await expect(node(forever, { signal, timeoutMs: 100 })).rejects.toThrow(/took longer than 100 ms/)
  await expect(node(forever, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/i)
})

import { expect, test } from 'vitest'
import { createProgram } from './run-program.ts'

const signal = new AbortController().signal
const node = createProgram(process.execPath, 'install it')

test('resolves with the output of the program, which gets its input', async () => {
  const script = 'process.stdin.pipe(process.stdout)'
  expect(await node(['-e', script], { signal, input: 'hello' })).toBe('hello')
})

test('reports a missing program and its remedy', async () => {
  const missing = createProgram('no-such-program', 'install no-such-program')
  await expect(missing([], { signal })).rejects.toThrow('no-such-program cannot be run: install no-such-program')
})

test('reports the command line and the output of a program that failed', async () => {
  const script = "console.error('broken'); process.exit(3)"
  await expect(node(['-e', script], { signal })).rejects.toThrow(/ended with 3: broken/)
  expect(await node(['-e', script], { signal, allow: [3] })).toBe('')
})

test('ends a program that takes too long, or whose signal aborts', async () => {
  const forever = ['-e', 'setInterval(() => {}, 1000)']
  await expect(node(forever, { signal, timeoutMs: 100 })).rejects.toThrow(/took longer than 100 ms/)
  await expect(node(forever, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/i)
})

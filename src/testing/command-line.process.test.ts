import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** A program of this folder, called with something that it does not know. */
async function called(program: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said }
}

test.each(['e2e/command.ts', 'torture/command.ts', 'crash/command.ts'])(
  '%s refuses a flag that is none',
  async (program) => {
    const { code, said } = await called(program, '--sed', '3')
    expect({ code, lines: said.trim().split('\n').length }, said).toEqual({ code: 2, lines: 1 })
    expect(said).toContain("'--sed'")
  },
)

test.each([
  ['e2e/command.ts', ['--rate', '3'], '--rate is "3", write an even number from 2\n'],
  ['torture/command.ts', ['--minutes', '99'], '--minutes is "99", write a number above 0, up to 15\n'],
  ['crash/command.ts', ['--rounds', '0'], '--rounds takes a whole number from 1, --seed a whole number\n'],
] as const)('%s %j is answered with what to write', async (program, args, message) => {
  expect(await called(program, ...args)).toEqual({ code: 2, said: message })
})

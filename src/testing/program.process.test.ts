import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** A program of this folder, its npm command, an argument that it does not know, and an option. */
async function called(program: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (printed += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said, printed }
}

const PROGRAMS = [
  ['proofs/e2e/command.ts', 'npm run e2e', '--mdoe', '--mode'],
  ['proofs/torture/command.ts', 'npm run torture', '--sed', '--seed'],
  ['proofs/crash/command.ts', 'npm run crash', '--ruonds', '--rounds'],
  ['proofs/torture/long/command.ts', 'npm run torture:long', '--itmes', '--items'],
  ['proofs/torture/mutations.ts', 'npm run torture:mutations', '--onyl', '--only'],
  ['proofs/crash/mutations.ts', 'npm run crash:mutations', '--hepl', '--help'],
  ['proofs/lock-history/command.ts', 'npm run locks:history', '--fautls', '--faults'],
  ['proofs/lock-history/faults-command.ts', 'npm run locks:faults', '--minuts', '--minutes'],
  ['cluster/command.ts', 'npm run cluster', '--prot', '--port'],
] as const

test.each(PROGRAMS)(
  '%s refuses an option that is none, and says which was meant',
  async (program, call, odd, meant) => {
    const { code, said } = await called(program, odd, '3')
    expect({ code, said }).toEqual({
      code: 2,
      said: `USAGE_INVALID: unknown option "${odd}", did you mean "${meant}"?\n  see ${call} -- --help\n`,
    })
    expect((await called(program, 'odd')).said).toContain('"odd" is one argument too many')
  },
)

test.each(PROGRAMS)('%s prints its help and starts nothing', async (program, call, _odd, option) => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { code, printed, said } = await called(program, ...args)
    expect({ code, said }).toEqual({ code: 0, said: '' })
    expect(printed).toContain(`${call} -- [OPTIONS]`)
    expect(printed).toContain(option)
    expect(printed).toContain('Exit codes: 0 fine')
  }
  expect((await called(program, '-v')).printed).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test.each([
  ['proofs/e2e/command.ts', ['--rate', '3'], '--rate is "3", write an even number from 2\n'],
  ['proofs/torture/command.ts', ['--minutes', '99'], '--minutes is "99", write a number above 0, up to 15\n'],
  ['proofs/torture/command.ts', ['--store', 'sqlite'], '--store is "sqlite", write http or postgres\n'],
  ['proofs/torture/long/command.ts', ['--hours', '25'], '--hours is "25", write a number above 0, up to 24\n'],
  ['proofs/torture/mutations.ts', ['--only', 'nothing'], '--only "nothing" is in no name, there are none, ignore'],
  ['proofs/torture/mutations.ts', ['--seed', 'x'], '--seed is "x", write a number above 0, up to 2147483648\n'],
  ['proofs/lock-history/command.ts', ['--fences', 'redis'], '--fences is "redis", write sqlite, postgres or none\n'],
  ['proofs/crash/command.ts', ['--rounds', '0'], '--rounds takes an integer from 1, --seed an integer\n'],
  ['cluster/command.ts', ['--port', '80000'], '--port is "80000", write a port from 1 to 65535, or 0 for a free one\n'],
] as const)('%s %j is answered with what to write', async (program, args, message) => {
  const { code, said } = await called(program, ...args)
  expect(code).toBe(2)
  expect(said).toMatch(/^USAGE_INVALID: /)
  expect(said).toContain(message)
})

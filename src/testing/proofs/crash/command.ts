/**
 * `npm run crash -- --rounds 50 --seed N`: runs the crash proof with many rounds. Exit: 0 pass, 1 fail, 2 wrong usage,
 * 3 inconclusive.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineCommand, EXIT, type ExitCode, type Io, orSay, runProgram, usageError } from '../../program.ts'
import { runCrashProof } from './proof.ts'

interface Numbers {
  readonly rounds: number
  readonly seed: number
}

function numbersOf(values: { readonly rounds: string; readonly seed: string | undefined }): Numbers {
  const [rounds, seed] = [Number(values.rounds), Number(values.seed ?? Date.now() % 2 ** 32)]
  if (Number.isInteger(rounds) && rounds >= 1 && Number.isInteger(seed)) return { rounds, seed }
  throw usageError('--rounds takes an integer from 1, --seed an integer')
}

const EXIT_OF = { pass: EXIT.fine, fail: EXIT.failed, inconclusive: EXIT.inconclusive } as const

async function run({ rounds, seed }: Numbers, { stdout, signal }: Io): Promise<ExitCode> {
  const say = (line: string): void => void stdout.write(`${line}\n`)
  const onRound = (line: string): void => {
    say(line)
    signal.throwIfAborted()
  }
  const data = mkdtempSync(join(tmpdir(), 'ingot-crash-'))
  say(`crash proof: ${rounds} rounds, --seed ${seed}`)
  const verdict = await runCrashProof({ data, rounds, seed, onRound })
  for (const violation of verdict.violations.slice(0, 20)) say(`VIOLATION ${violation}`)
  say(JSON.stringify(verdict.figures))
  if (verdict.kind === 'inconclusive') say('inconclusive: nothing was acknowledged, or no kill happened during traffic')
  say(verdict.kind === 'pass' ? 'pass' : `${verdict.kind}: the store is left in ${data}; repeat with --seed ${seed}`)
  if (verdict.kind === 'pass') rmSync(data, { recursive: true, force: true })
  return EXIT_OF[verdict.kind]
}

await runProgram({
  call: 'npm run crash --',
  summary: 'kills the service repeatedly, and compares acknowledged with stored items',
  command: defineCommand({
    help: `
Each round starts the service on one data folder, sends items, and kills it with SIGKILL at a moment that the seed
determines. At the end every acknowledged item must be stored exactly once.

Exit code 0 pass, 1 fail, 2 wrong usage, 3 inconclusive. After a failure the data folder is left.`,
    examples: ['npm run crash -- --rounds 50', 'npm run crash -- --rounds 5 --seed 12'],
    options: {
      rounds: { type: 'string', value: 'N', summary: 'number of kills', default: '50' },
      seed: { type: 'string', value: 'N', summary: 'determines the times of the kills; default: by the clock' },
    },
    run: ({ values }, io) => orSay(io, EXIT.failed, () => run(numbersOf(values), io)),
  }),
})

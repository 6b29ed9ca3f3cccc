/**
 * `npm run crash:mutations`: shows that the proofs can fail. Each proof runs against the unchanged service, which must
 * pass, and against sabotaged services, which it must detect. Exit: 0 all results as expected, 1 some not, 2 wrong
 * usage, 4 ended early.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FailpointName } from '../../../std/failpoint.ts'
import { defineCommand, EXIT, type ExitCode, type Io, orSay, runProgram } from '../../program.ts'
import { runCrashProof } from './proof.ts'
import { runSyncProof, whyNoStrace } from './sync-proof.ts'

type Color = 'green' | 'red' | 'inconclusive' | 'skipped'

interface Finding {
  readonly color: Color
  /** The first counter-example, or the reason why there is none. */
  readonly why: string
}

interface Mutation {
  readonly name: string
  readonly failpoints: readonly FailpointName[]
  /** Expected results of the proofs. A proof that is not named may have any result. */
  readonly expected: { readonly kill?: Color; readonly sync?: Color }
}

const MUTATIONS: readonly Mutation[] = [
  { name: 'none', failpoints: [], expected: { kill: 'green', sync: 'green' } },
  {
    name: 'answer before COMMIT',
    failpoints: ['sqlite/answer-before-commit'],
    expected: { kill: 'red', sync: 'red' },
  },
  { name: 'no unique index', failpoints: ['sqlite/no-unique-index'], expected: { kill: 'red' } },
  { name: 'no synchronous', failpoints: ['sqlite/no-sync'], expected: { sync: 'red' } },
]

/**
 * Number of rounds. A kill certainly happens near an early response; a sabotaged service is detected in the first few.
 */
const ROUNDS = 8

async function inFolder(work: (folder: string) => Promise<Finding>): Promise<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-mutants-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function kill(data: string, failpoints: readonly FailpointName[], signal: AbortSignal): Promise<Finding> {
  const onRound = (): void => signal.throwIfAborted()
  const { kind, violations } = await runCrashProof({ data, rounds: ROUNDS, seed: 1, failpoints, onRound })
  const colors = { pass: 'green', fail: 'red', inconclusive: 'inconclusive' } as const
  return { color: colors[kind], why: violations[0] ?? '' }
}

async function sync(folder: string, failpoints: readonly FailpointName[]): Promise<Finding> {
  const why = whyNoStrace()
  if (why !== undefined) return { color: 'skipped', why }
  const { kind, problems } = await runSyncProof({ folder, failpoints })
  return { color: kind === 'pass' ? 'green' : 'red', why: problems[0] ?? '' }
}

/** Returns true if the result is the expected one. A proof that cannot run without strace fails only in CI. */
function isAsExpected(color: Color, expected: Color | undefined): boolean {
  if (color === 'skipped') return process.env['CI'] === undefined
  return expected === undefined ? color !== 'inconclusive' : color === expected
}

async function run({ stdout, signal }: Io): Promise<ExitCode> {
  const say = (line: string): void => void stdout.write(`${line}\n`)
  say('mutation              SIGKILL proof  strace proof')
  let failed = 0
  for (const { name, failpoints, expected } of MUTATIONS) {
    const killed = await inFolder((folder) => kill(folder, failpoints, signal))
    signal.throwIfAborted()
    const synced = await inFolder((folder) => sync(folder, failpoints))
    signal.throwIfAborted()
    const isExpected = isAsExpected(killed.color, expected.kill) && isAsExpected(synced.color, expected.sync)
    if (!isExpected) failed++
    say(`${name.padEnd(22)}${killed.color.padEnd(15)}${synced.color.padEnd(13)}${isExpected ? '' : 'UNEXPECTED'}`)
    for (const [proof, { why }] of Object.entries({ SIGKILL: killed, strace: synced })) {
      if (why !== '') say(`  ${proof}: ${why}`)
    }
  }
  say(
    failed === 0
      ? 'every proof detected its mutations'
      : `${failed} of ${MUTATIONS.length} mutations had an unexpected result`,
  )
  return failed === 0 ? EXIT.fine : EXIT.failed
}

await runProgram({
  call: 'npm run crash:mutations --',
  summary: 'checks that the crash proofs detect every sabotage, and report none in the unchanged service',
  command: defineCommand({
    help: `
Runs the proof by SIGKILL and the proof by strace once for each mutation, and without one as a control.

Exit code 0 if all results are as expected, 1 if not, 2 wrong usage, 4 after Ctrl-C.`,
    examples: ['npm run crash:mutations'],
    options: {},
    run: (_, io) => orSay(io, EXIT.failed, () => run(io)),
  }),
})

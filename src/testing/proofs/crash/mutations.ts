/**
 * `npm run crash:mutations`: are the proofs able to fail? Each runs against the service as it is, which must pass, and
 * against services that were sabotaged, of which each must be caught. Exit: 0 so it is, 1 not so.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FailpointName } from '../../../std/failpoint.ts'
import { runCrashProof } from './proof.ts'
import { runSyncProof, whyNoStrace } from './sync-proof.ts'

type Color = 'green' | 'red' | 'inconclusive' | 'skipped'

interface Finding {
  readonly color: Color
  /** The first counter-example, or why there is none. */
  readonly why: string
}

interface Mutation {
  readonly name: string
  readonly failpoints: readonly FailpointName[]
  /** What a proof must come to. What is not named may come to either: it is not that proof's business. */
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

/** Enough for a kill to meet an early answer for certain; a sabotaged service is found out in the first few. */
const ROUNDS = 8

const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function inFolder(work: (folder: string) => Promise<Finding>): Promise<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-teeth-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function kill(data: string, failpoints: readonly FailpointName[]): Promise<Finding> {
  const { kind, violations } = await runCrashProof({ data, rounds: ROUNDS, seed: 1, failpoints })
  const colors = { pass: 'green', fail: 'red', inconclusive: 'inconclusive' } as const
  return { color: colors[kind], why: violations[0] ?? '' }
}

async function sync(folder: string, failpoints: readonly FailpointName[]): Promise<Finding> {
  const why = whyNoStrace()
  if (why !== undefined) return { color: 'skipped', why }
  const { kind, problems } = await runSyncProof({ folder, failpoints })
  return { color: kind === 'pass' ? 'green' : 'red', why: problems[0] ?? '' }
}

/** A proof that cannot be had on a laptop without strace is no failure there; where CI runs it is. */
function isAsExpected(color: Color, expected: Color | undefined): boolean {
  if (color === 'skipped') return process.env['CI'] === undefined
  return expected === undefined ? color !== 'inconclusive' : color === expected
}

say('mutation              SIGKILL proof  strace proof')
let failed = 0
for (const { name, failpoints, expected } of MUTATIONS) {
  const killed = await inFolder((folder) => kill(folder, failpoints))
  const synced = await inFolder((folder) => sync(folder, failpoints))
  const fine = isAsExpected(killed.color, expected.kill) && isAsExpected(synced.color, expected.sync)
  if (!fine) failed++
  say(`${name.padEnd(22)}${killed.color.padEnd(15)}${synced.color.padEnd(13)}${fine ? '' : 'NOT AS IT MUST BE'}`)
  for (const [proof, { why }] of Object.entries({ SIGKILL: killed, strace: synced })) {
    if (why !== '') say(`  ${proof}: ${why}`)
  }
}
say(failed === 0 ? 'the proofs bite' : `${failed} of ${MUTATIONS.length} not as they must be`)
process.exitCode = failed === 0 ? 0 : 1

/**
 * `npm run torture:mutations`: shows that the proof can fail. Each run injects the faults that should expose its
 * sabotage. The unchanged service must pass, and each sabotaged one must violate the promise that it breaks. Exit: 0
 * all results as expected, 1 some not, 2 wrong usage, 4 ended early.
 */
import { join } from 'node:path'
import { OUT } from '../../../drill/checkout.ts'
import type { FailpointName } from '../../../std/failpoint.ts'
import { removeContainersOurselves } from '../../containers.ts'
import {
  defineCommand,
  EXIT,
  type ExitCode,
  type Io,
  numberOption,
  orSay,
  runProgram,
  usageError,
  type Values,
} from '../../program.ts'
import type { TortureOptions } from './options.ts'
import { type TortureResult, torture } from './torture.ts'

removeContainersOurselves()

interface Mutant
  extends Partial<Pick<TortureOptions, 'deletes' | 'latencyMs' | 'lateMs' | 'quietMs' | 'sql' | 'trafficMs'>> {
  readonly name: string
  readonly store: TortureOptions['store']
  readonly failpoints?: readonly FailpointName[]
  readonly faults: readonly string[]
  /** The check that must be violated. Absent for the control, which must be valid. */
  readonly breaks?: string
}

/** Slow enough to deliver a packet between a lookup and the save that follows it. */
const BETWEEN_LOOKUP_AND_SAVE = { latencyMs: 300, lateMs: [80, 220] } as const

/** Late enough for the other replica to have looked up and saved the content. */
const AFTER_THE_SAVE = { lateMs: [600, 900] } as const

const MUTANTS: readonly Mutant[] = [
  {
    name: 'none',
    store: 'http',
    faults: ['late-packet', 'lost-answer', 'holder-stop', 'store-kill'],
    trafficMs: 16_000,
    ...BETWEEN_LOOKUP_AND_SAVE,
  },
  {
    name: 'ignore the fence',
    store: 'http',
    failpoints: ['lock/ignore-fence'],
    faults: ['late-packet'],
    ...AFTER_THE_SAVE,
    breaks: 'stored-once',
  },
  {
    name: 'ignore the fence (register)',
    store: 'http',
    failpoints: ['lock/ignore-fence'],
    faults: ['holder-stop'],
    breaks: 'fences-rise',
  },
  {
    name: 'fence only the save',
    store: 'http',
    failpoints: ['lock/fence-only-save'],
    faults: ['late-packet'],
    breaks: 'stored-once',
    ...BETWEEN_LOOKUP_AND_SAVE,
  },
  {
    name: 'release without owner check',
    store: 'http',
    failpoints: ['lock/release-any-owner'],
    faults: ['holder-stop'],
    trafficMs: 15_000,
    breaks: 'one-holder',
  },
  {
    name: 'treat a timeout as failure',
    store: 'http',
    failpoints: ['lock/time-out-is-failure'],
    faults: ['lost-answer'],
    breaks: 'stored-once',
  },
  {
    name: 'answer before the save',
    store: 'http',
    failpoints: ['lock/answer-before-save'],
    faults: ['store-kill'],
    // acknowledged saves are still in progress when the store is killed, and there is time for traffic between kills
    latencyMs: 100,
    quietMs: 3_000,
    trafficMs: 24_000,
    breaks: 'nothing-lost',
  },
  {
    name: 'none',
    store: 'postgres',
    faults: ['replica-stop', 'store-kill', 'late-packet', 'store-cut'],
    trafficMs: 16_000,
  },
  {
    name: 'drop the unique index',
    store: 'postgres',
    faults: ['replica-stop', 'store-cut'],
    sql: 'ALTER TABLE ingot_items DROP CONSTRAINT ingot_items_pkey',
    breaks: 'stored-once',
  },
  {
    name: 'answer before commit',
    store: 'postgres',
    failpoints: ['commit/answer-before-commit'],
    faults: ['store-kill', 'store-cut'],
    breaks: 'nothing-lost',
  },
  {
    name: 'none (put back)',
    store: 'postgres',
    faults: ['store-restore', 'store-cut'],
    trafficMs: 20_000,
  },
  {
    name: 'write the cache early',
    store: 'postgres',
    failpoints: ['cache/write-before-commit'],
    faults: ['store-kill'],
    breaks: 'nothing-lost',
  },
  {
    name: 'ignore the epoch',
    store: 'postgres',
    failpoints: ['cache/ignore-epoch'],
    faults: ['store-restore'],
    deletes: false,
    trafficMs: 16_000,
    breaks: 'nothing-lost',
  },
  {
    name: 'ignore the deletions',
    store: 'postgres',
    failpoints: ['cache/ignore-deletes'],
    faults: ['replica-kill'],
    // on average two are found in ten seconds
    trafficMs: 36_000,
    breaks: 'created-once',
  },
]

const FOLDER = join(OUT, 'torture', 'mutations')

interface Choice {
  readonly seed: number
  readonly verbose: boolean
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

function runMutant(mutant: Mutant, { seed, verbose, signal, say }: Choice): Promise<TortureResult> {
  const { name, breaks: _breaks, ...rest } = mutant
  const folder = join(FOLDER, `${mutant.store}-${name.replaceAll(/\W+/g, '-')}`)
  const common = { seed, trafficMs: 10_000, lock: 'redis', quietMs: 300 } as const
  return torture({ ...common, ...rest, folder, signal, ...(verbose ? { say } : {}) })
}

/** Resolves with true if the result is the expected one, and with a description of it. */
async function runAndCompare(mutant: Mutant, choice: Choice): Promise<readonly [boolean, string]> {
  const { verdict, counts } = await runMutant(mutant, choice)
  if (choice.verbose) choice.say(JSON.stringify(counts))
  const violated = Object.entries(verdict.checks).filter(([, { kind }]) => kind === 'violated')
  const unsure = Object.entries(verdict.checks).filter(([, { kind }]) => kind === 'inconclusive')
  const fine =
    mutant.breaks === undefined ? verdict.kind === 'valid' : violated.some(([name]) => name === mutant.breaks)
  const seen = violated.map(([name, { counterExamples }]) => `${name} ${counterExamples.length}`)
  const first = violated.find(([name]) => name === mutant.breaks)?.[1].counterExamples[0]?.says
  const rest = [...seen, ...unsure.map(([name, { why }]) => `${name}: ${why}`), ...(first === undefined ? [] : [first])]
  return [fine, `${verdict.kind.padEnd(14)}${rest.join('; ')}`]
}

/** Number of concurrent runs. A run mostly waits. */
const AT_ONCE = 2

async function lineOf(mutant: Mutant, choice: Choice): Promise<readonly [boolean, string]> {
  const startMs = performance.now()
  const [fine, seen] = await runAndCompare(mutant, choice)
  const seconds = Math.round((performance.now() - startMs) / 1_000)
  const text = `${mutant.store.padEnd(10)}${mutant.name.padEnd(30)}${seen} (${seconds} s)`
  return [fine, fine ? text : `${text}  UNEXPECTED`]
}

const OPTIONS = {
  seed: { type: 'string', value: 'N', summary: 'determines the faults and their times', default: '1' },
  only: { type: 'string', value: 'TEXT', summary: 'only the mutations whose names contain this', default: '' },
  verbose: { type: 'boolean', summary: 'print every fault' },
} as const

async function run({ seed, only, verbose }: Values<typeof OPTIONS>, { stdout, signal }: Io): Promise<ExitCode> {
  const say = (line: string): void => void stdout.write(`${line}\n`)
  const choice = { seed: Math.floor(numberOption('seed', seed, 2 ** 31)), verbose, signal, say }
  const chosen = MUTANTS.filter(({ name }) => name.includes(only))
  if (chosen.length === 0) {
    throw usageError(`--only "${only}" is in no name, there are ${MUTANTS.map(({ name }) => name).join(', ')}`)
  }
  say('store     mutation                      verdict       seen')
  let failed = 0
  const waiting = chosen.values()
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (const mutant of waiting) {
      const [fine, text] = await lineOf(mutant, choice)
      if (!fine) failed++
      say(text)
    }
  })
  await Promise.all(workers)
  say(
    failed === 0
      ? 'the proof detected every mutation'
      : `${failed} of ${chosen.length} mutations had an unexpected result`,
  )
  return failed === 0 ? EXIT.fine : EXIT.failed
}

await runProgram({
  call: 'npm run torture:mutations --',
  summary: 'checks that the torture detects every sabotage, and reports none in the unchanged service',
  command: defineCommand({
    help: `
Runs the torture once for each mutation, with the faults that should expose it, and without one as a control. Needs Docker.

Exit code 0 if all results are as expected, 1 if not, 2 wrong usage, 4 after Ctrl-C.`,
    examples: ['npm run torture:mutations', 'npm run torture:mutations -- --only fence --verbose'],
    options: OPTIONS,
    run: ({ values }, io) => orSay(io, EXIT.failed, () => run(values, io)),
  }),
})

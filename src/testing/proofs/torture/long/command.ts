/**
 * `npm run torture:long -- --seed N --items 1e7 --hours H`: see long.ts. Exit: 0 valid, 1 violated, 2 wrong usage or
 * the run cannot start, 3 inconclusive, 4 ended early.
 */
import { join } from 'node:path'
import { OUT } from '../../../../drill/checkout.ts'
import { reportOf } from '../../../../drill/report/verdict-text.ts'
import { removeContainersOurselves } from '../../../containers.ts'
import {
  defineCommand,
  EXIT,
  type ExitCode,
  type Io,
  numberOption,
  orSay,
  runProgram,
  type Values,
} from '../../../program.ts'
import { tortureLong } from './long.ts'

removeContainersOurselves()

const MAX_ITEMS = 1e9
const MAX_HOURS = 24

const OPTIONS = {
  seed: { type: 'string', value: 'N', summary: 'determines traffic and faults; default: by the clock' },
  items: { type: 'string', value: 'N', summary: 'number of acknowledged items that ends the traffic', default: '1e7' },
  hours: { type: 'string', value: 'H', summary: `the longest time for traffic, up to ${MAX_HOURS}`, default: '6' },
  faults: { type: 'string', value: 'NAMES', summary: 'only these, separated by commas; default: all' },
} as const
type Given = Values<typeof OPTIONS>

function optionsOf({ seed, items, hours, faults }: Given) {
  return {
    seed: Math.floor(numberOption('seed', seed ?? String((Date.now() % 2 ** 31) + 1), 2 ** 31)),
    items: Math.floor(numberOption('items', items, MAX_ITEMS)),
    maxMs: numberOption('hours', hours, MAX_HOURS) * 3_600_000,
    ...(faults === undefined ? {} : { faults: faults.split(',') }),
  }
}

async function run(values: Given, { stdout, signal }: Io): Promise<ExitCode> {
  const options = optionsOf(values)
  const say = (line: string): void => void stdout.write(`${line}\n`)
  say(`torture:long: --seed ${options.seed} --items ${options.items}`)
  const folder = join(OUT, 'torture', `long-${options.seed}`)
  const { verdict, figures } = await tortureLong({ ...options, folder, signal, say })
  for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(40)}${value}`)
  stdout.write(`\n${reportOf(verdict)}`)
  say(`history and verdict: ${folder}; repeat with --seed ${options.seed} --items ${options.items}`)
  return EXIT_OF[verdict.kind]
}

const EXIT_OF = { valid: EXIT.fine, violated: EXIT.failed, inconclusive: EXIT.inconclusive } as const

await runProgram({
  call: 'npm run torture:long --',
  summary: 'sends millions of items through three replicas on Postgres, under faults by seed',
  failed: EXIT.usage,
  command: defineCommand({
    help: `
Starts three replicas, Postgres and Redis in Docker, and sends items under faults until enough are acknowledged or the
time is over. Then judges the history part by part. The history and the verdict are left in out/torture.

Exit code 0 valid, 1 violated, 2 wrong usage or the run cannot start, 3 inconclusive, 4 after Ctrl-C.`,
    examples: ['npm run torture:long -- --seed 7 --items 1e7', 'npm run torture:long -- --items 1e5 --hours 0.5'],
    options: OPTIONS,
    run: ({ values }, io) => orSay(io, EXIT.usage, () => run(values, io)),
  }),
})

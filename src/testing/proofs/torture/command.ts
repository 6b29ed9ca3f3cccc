/**
 * `npm run torture -- --seed N --minutes M`: see torture.ts. Exit: 0 valid, 1 violated, 2 wrong usage or the run cannot
 * start, 3 inconclusive, 4 ended early.
 */
import { join } from 'node:path'
import { OUT } from '../../../drill/checkout.ts'
import { reportOf } from '../../../drill/report/verdict-text.ts'
import { removeContainersOurselves } from '../../containers.ts'
import { defineCommand, EXIT, type ExitCode, type Io, numberOption, oneOf, orSay, runProgram } from '../../program.ts'
import { torture } from './torture.ts'

removeContainersOurselves()

/** Longest traffic, in minutes. The containers end by themselves after twenty minutes. */
const MAX_MINUTES = 15

const OPTIONS = {
  seed: { type: 'string', value: 'N', summary: 'determines traffic and faults; default: by the clock' },
  minutes: { type: 'string', value: 'M', summary: `duration of the traffic, up to ${MAX_MINUTES}`, default: '1' },
  store: { type: 'string', value: 'http|postgres', summary: 'where items live', default: 'http' },
  lock: { type: 'string', value: 'redis|sentinel', summary: 'the lock service', default: 'sentinel' },
  fencing: { type: 'string', value: 'on|off', summary: 'whether the backend refuses stale fences', default: 'on' },
  mode: { type: 'string', value: 'auto|always', summary: 'INGOT_LOCK_MODE', default: 'auto' },
  cache: { type: 'string', value: 'on|off', summary: 'the shared cache', default: 'on' },
  faults: { type: 'string', value: 'NAMES', summary: 'only these, separated by commas; default: all' },
  cover: { type: 'boolean', summary: 'end when every fault has been proven' },
} as const
type Given = Parameters<Parameters<typeof defineCommand<typeof OPTIONS>>[0]['run']>[0]['values']

function optionsOf(values: Given) {
  return {
    seed: Math.floor(numberOption('seed', values.seed ?? String((Date.now() % 2 ** 31) + 1), 2 ** 31)),
    trafficMs: numberOption('minutes', values.minutes, MAX_MINUTES) * 60_000,
    store: oneOf('store', values.store, ['http', 'postgres']),
    lock: oneOf('lock', values.lock, ['redis', 'sentinel']),
    fencing: oneOf('fencing', values.fencing, ['on', 'off']),
    mode: oneOf('mode', values.mode, ['auto', 'always']),
    cover: values.cover,
    cache: oneOf('cache', values.cache, ['on', 'off']) === 'on',
    ...(values.faults === undefined ? {} : { faults: values.faults.split(',') }),
  }
}

async function run(values: Given, { stdout, signal }: Io): Promise<ExitCode> {
  const options = optionsOf(values)
  const say = (line: string): void => void stdout.write(`${line}\n`)
  say(`torture: --seed ${options.seed} --store ${options.store} --lock ${options.lock}`)
  const folder = join(OUT, 'torture', String(options.seed))
  const { verdict, counts, missing } = await torture({ ...options, folder, signal, say })
  say(
    `\n${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}\n`,
  )
  if (missing.length > 0) say(`did not happen: ${missing.join(', ')}\n`)
  stdout.write(reportOf(verdict))
  say(`history and verdict: ${folder}; repeat with --seed ${options.seed}`)
  return EXIT_OF[verdict.kind]
}

const EXIT_OF = { valid: EXIT.fine, violated: EXIT.failed, inconclusive: EXIT.inconclusive } as const

await runProgram({
  call: 'npm run torture --',
  summary: 'replicas, store and Redis under faults by seed, judged item by item',
  failed: EXIT.usage,
  command: defineCommand({
    help: `
Starts replicas of the service with their store and Redis on this machine, sends items while faults are injected, and then
compares the acknowledged items with the stored ones. Needs Docker. The history and the verdict are left in
out/torture/SEED.

Exit code 0 valid, 1 violated, 2 wrong usage or the run cannot start, 3 inconclusive, 4 after Ctrl-C.`,
    examples: ['npm run torture -- --seed 7 --minutes 1 --store postgres', 'npm run torture -- --cover --minutes 3'],
    options: OPTIONS,
    run: ({ values }, io) => orSay(io, EXIT.usage, () => run(values, io)),
  }),
})

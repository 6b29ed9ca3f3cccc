/**
 * `npm run locks:history -- --seed N --minutes M`: see lock-history.ts. Exit: 0 valid, 1 violated, 2 wrong usage or the
 * run cannot start, 3 inconclusive, 4 ended early.
 */
import { join } from 'node:path'
import { OUT } from '../../../drill/checkout.ts'
import { reportOf } from '../../../drill/report/verdict-text.ts'
import { removeContainersOurselves } from '../../containers.ts'
import { defineCommand, EXIT, type ExitCode, type Io, numberOption, oneOf, orSay, runProgram } from '../../program.ts'
import { lockHistory } from './lock-history.ts'
import { LOCK_NAMES } from './services/registry.ts'

removeContainersOurselves()

const MAX_MINUTES = 120
const MAX_SECONDS = 600

const OPTIONS = {
  seed: { type: 'string', value: 'N', summary: 'determines the faults; default: by the clock' },
  minutes: {
    type: 'string',
    value: 'M',
    summary: `time for which faults are injected, up to ${MAX_MINUTES}`,
    default: '5',
  },
  lock: { type: 'string', value: LOCK_NAMES.join('|'), summary: 'the lock service', default: 'redis+sentinel' },
  redis: {
    type: 'string',
    value: 'IMAGE|PROGRAM',
    summary: 'an image with a tag, or a redis-server on this machine',
    default: 'redis:8.0',
  },
  fences: {
    type: 'string',
    value: 'sqlite|postgres|none',
    summary: 'the fence store; none is a negative control, which must be violated',
    default: 'sqlite',
  },
  faults: { type: 'string', value: 'NAMES', summary: 'only these, separated by commas; default: all' },
  'two-primaries': {
    type: 'string',
    value: 'SECONDS',
    summary: 'the longest time for which two servers may both accept writes',
    default: '30',
  },
} as const
type Given = Parameters<Parameters<typeof defineCommand<typeof OPTIONS>>[0]['run']>[0]['values']

async function run(values: Given, { stdout, signal }: Io): Promise<ExitCode> {
  const seed = Math.floor(numberOption('seed', values.seed ?? String((Date.now() % 2 ** 31) + 1), 2 ** 31))
  const trafficMs = numberOption('minutes', values.minutes, MAX_MINUTES) * 60_000
  const lock = oneOf('lock', values.lock, LOCK_NAMES)
  const fences = oneOf('fences', values.fences, ['sqlite', 'postgres', 'none'])
  const maxTwoPrimariesMs = numberOption('two-primaries', values['two-primaries'], MAX_SECONDS) * 1_000
  const say = (line: string): void => void stdout.write(`${line}\n`)
  const image = lock === 'redis+sentinel' ? ` --redis ${values.redis}` : ''
  const store = lock.startsWith('red') ? ` --fences ${fences}` : ''
  say(`locks:history: --lock ${lock} --seed ${seed} --minutes ${values.minutes}${image}${store}`)
  const { verdict, folder } = await lockHistory({
    lock,
    seed,
    trafficMs,
    redis: values.redis,
    fences,
    maxTwoPrimariesMs,
    faults: values.faults?.split(','),
    folderOf: (version) => join(OUT, 'locks', 'history', `${seed}-${version}`),
    signal,
    say,
  })
  stdout.write(`\n${reportOf(verdict)}`)
  say(`history and verdict: ${folder}; the same faults again: --seed ${seed}`)
  return EXIT_OF[verdict.kind]
}

const EXIT_OF = { valid: EXIT.fine, violated: EXIT.failed, inconclusive: EXIT.inconclusive } as const

await runProgram({
  call: 'npm run locks:history --',
  summary: 'locks and fences under faults on real servers, judged grant by grant',
  failed: EXIT.usage,
  command: defineCommand({
    help: `
Starts a lock service on this machine, and 30 workers in 8 processes that acquire locks and write to a register under
their fences, while servers and workers are killed, stopped and failed over. Then judges the fences of all grants in time.
redis+sentinel has a primary, two replicas and three Sentinels; redlock has five servers; etcd and zookeeper have three
members; the others are one server. Needs Docker for images, and an API server of this machine for kubernetes. The history and the verdict are left in out/locks/history.

Exit code 0 valid, 1 violated, 2 wrong usage or the run cannot start, 3 inconclusive, 4 after Ctrl-C.`,
    examples: [
      'npm run locks:history -- --seed 7',
      'npm run locks:history -- --seed 7 --minutes 1 --redis valkey/valkey:8.1',
      'npm run locks:history -- --lock etcd --minutes 5',
      'npm run locks:history -- --minutes 1 --redis redis-server --faults successor-kill,worker-stop',
    ],
    options: OPTIONS,
    run: ({ values }, io) => orSay(io, EXIT.usage, () => run(values, io)),
  }),
})

/**
 * `npm run locks:faults -- --lock NAMES --minutes M`: a short lock history of each service, and a table of what each fault
 * did. Exit: 0 all valid, 1 one violated, 2 wrong usage or a run cannot start, 3 one inconclusive, 4 ended early.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Verdict } from '../../../drill/checkers/verdict.ts'
import { OUT } from '../../../drill/checkout.ts'
import { reportOf } from '../../../drill/report/verdict-text.ts'
import { removeContainersOurselves } from '../../containers.ts'
import { defineCommand, EXIT, type ExitCode, type Io, numberOption, oneOf, orSay, runProgram } from '../../program.ts'
import { faultTable } from './fault-table.ts'
import { type LockHistoryResult, lockHistory } from './lock-history.ts'
import { LOCK_NAMES, type LockName } from './services/registry.ts'

removeContainersOurselves()

const MAX_MINUTES = 30
const MAX_TWO_PRIMARIES_MS = 30_000

const OPTIONS = {
  seed: { type: 'string', value: 'N', summary: 'determines the order of the faults', default: '5' },
  minutes: {
    type: 'string',
    value: 'M',
    summary: `time of each service, up to ${MAX_MINUTES}`,
    default: '2',
  },
  lock: { type: 'string', value: 'NAMES', summary: 'only these services, separated by commas; default: all' },
} as const
type Given = Parameters<Parameters<typeof defineCommand<typeof OPTIONS>>[0]['run']>[0]['values']

async function run(values: Given, { stdout, signal }: Io): Promise<ExitCode> {
  const seed = Math.floor(numberOption('seed', values.seed, 2 ** 31))
  const trafficMs = numberOption('minutes', values.minutes, MAX_MINUTES) * 60_000
  const names = values.lock?.split(',').map((name) => oneOf('lock', name, LOCK_NAMES)) ?? LOCK_NAMES
  const say = (line: string): void => void stdout.write(`${line}\n`)
  const results: LockHistoryResult[] = []
  for (const lock of names) {
    say(`locks:faults: --lock ${lock} --seed ${seed} --minutes ${values.minutes}`)
    const result = await historyOf(lock, { seed, trafficMs, signal, say })
    say(reportOf(result.verdict))
    results.push(result)
  }
  const file = join(OUT, 'locks', 'fault-histories.md')
  mkdirSync(join(OUT, 'locks'), { recursive: true })
  writeFileSync(file, faultTable(results))
  say(`${faultTable(results)}\n${file}`)
  return EXIT_OF[worstOf(results)]
}

type Limits = Pick<Parameters<typeof lockHistory>[0], 'seed' | 'trafficMs' | 'signal' | 'say'>

function historyOf(lock: LockName, limits: Limits): Promise<LockHistoryResult> {
  return lockHistory({
    ...limits,
    lock,
    redis: 'redis:8.0',
    fences: 'sqlite',
    maxTwoPrimariesMs: MAX_TWO_PRIMARIES_MS,
    folderOf: (version) => join(OUT, 'locks', 'history', `faults-${lock}-${version}`),
  })
}

function worstOf(results: readonly LockHistoryResult[]): Verdict['kind'] {
  const kinds = results.map(({ verdict }) => verdict.kind)
  return (['violated', 'inconclusive'] as const).find((kind) => kinds.includes(kind)) ?? 'valid'
}

const EXIT_OF = { valid: EXIT.fine, violated: EXIT.failed, inconclusive: EXIT.inconclusive } as const

await runProgram({
  call: 'npm run locks:faults --',
  summary: 'what each fault does to the locks of each service',
  failed: EXIT.usage,
  command: defineCommand({
    help: `
Records a short lock history (npm run locks:history) of each lock service, one after the other, and writes a table to
out/locks/fault-histories.md. For each fault it has the longest pause without a grant, the grants of a key that another
client held, and the fences out of order. Needs Docker.

Exit code 0 all valid, 1 one violated, 2 wrong usage or a run cannot start, 3 one inconclusive, 4 after Ctrl-C.`,
    examples: ['npm run locks:faults', 'npm run locks:faults -- --lock etcd,postgres --minutes 1'],
    options: OPTIONS,
    run: ({ values }, io) => orSay(io, EXIT.usage, () => run(values, io)),
  }),
})

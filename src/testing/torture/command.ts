/** `npm run torture -- --seed N --minutes M`: see torture.ts. Exit: 0 valid, 1 violated, 3 inconclusive, 4 ended early. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reportOf } from '../../drill/report.ts'
import { torture } from './torture.ts'

// in CI's image stores there is none of the container that removes containers; this program does that itself
process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'

/** The containers end by themselves after twenty minutes. */
const MAX_MINUTES = 15

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    minutes: { type: 'string', default: '1' },
    store: { type: 'string', default: 'http' },
    lock: { type: 'string', default: 'sentinel' },
    fencing: { type: 'string', default: 'on' },
    faults: { type: 'string' },
    mode: { type: 'string', default: 'auto' },
    cache: { type: 'string', default: 'on' },
    cover: { type: 'boolean', default: false },
  },
})

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw new RangeError(`--${name} is "${value}", write ${allowed.join(' or ')}`)
  return found
}

function numberOf(name: string, text: string, max: number): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0 && value <= max) return value
  throw new RangeError(`--${name} is "${text}", write a number above 0, up to ${max}`)
}

function optionsOf() {
  return {
    seed: Math.floor(numberOf('seed', values.seed, 2 ** 31)),
    trafficMs: numberOf('minutes', values.minutes, MAX_MINUTES) * 60_000,
    store: oneOf('store', values.store, ['http', 'postgres']),
    lock: oneOf('lock', values.lock, ['redis', 'sentinel']),
    fencing: oneOf('fencing', values.fencing, ['on', 'off']),
    mode: oneOf('mode', values.mode, ['auto', 'always']),
    cover: values.cover,
    cache: oneOf('cache', values.cache, ['on', 'off']) === 'on',
    ...(values.faults === undefined ? {} : { faults: values.faults.split(',') }),
  }
}

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => ending.abort(new Error(`ended by ${name}`)))
}
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const options = optionsOf()
  say(`torture: --seed ${options.seed} --store ${options.store} --lock ${options.lock}`)
  const folder = join(import.meta.dirname, '..', '..', '..', 'out', 'torture', String(options.seed))
  const { verdict, counts, missing } = await torture({ ...options, folder, signal: ending.signal, say })
  say(
    `\n${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}\n`,
  )
  if (missing.length > 0) say(`did not happen in this time: ${missing.join(', ')}\n`)
  process.stdout.write(reportOf(verdict))
  say(`history and verdict: ${folder}; the same again: --seed ${options.seed}`)
  return { valid: 0, violated: 1, inconclusive: 3 }[verdict.kind]
}

async function exitCode(): Promise<number> {
  try {
    return await main()
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
    return ending.signal.aborted ? 4 : 2
  }
}

process.exitCode = await exitCode()

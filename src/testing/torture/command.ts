/**
 * `npm run torture -- --seed N --minutes M`: see torture.ts. Exit: 0 valid, 1 violated, 2 wrong usage or no run to be
 * had, 3 inconclusive, 4 ended early.
 */
import { join } from 'node:path'
import { reportOf } from '../../drill/report.ts'
import { endBySignals, exitCode, flagsOf, oneOf, usageFault } from '../command-line.ts'
import { removeContainersOurselves } from '../containers.ts'
import { OUT } from '../root.ts'
import { torture } from './torture.ts'

removeContainersOurselves()

/** The containers end by themselves after twenty minutes. */
const MAX_MINUTES = 15

function numberOf(name: string, text: string, max: number): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0 && value <= max) return value
  throw usageFault(`--${name} is "${text}", write a number above 0, up to ${max}`)
}

function optionsOf() {
  const values = flagsOf({
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    minutes: { type: 'string', default: '1' },
    store: { type: 'string', default: 'http' },
    lock: { type: 'string', default: 'sentinel' },
    fencing: { type: 'string', default: 'on' },
    faults: { type: 'string' },
    mode: { type: 'string', default: 'auto' },
    cache: { type: 'string', default: 'on' },
    cover: { type: 'boolean', default: false },
  })
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

const ending = endBySignals()
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const options = optionsOf()
  say(`torture: --seed ${options.seed} --store ${options.store} --lock ${options.lock}`)
  const folder = join(OUT, 'torture', String(options.seed))
  const { verdict, counts, missing } = await torture({ ...options, folder, signal: ending, say })
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

process.exitCode = await exitCode(main, { ending, otherwise: 2 })

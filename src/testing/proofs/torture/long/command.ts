/**
 * `npm run torture:long -- --seed N --items 1e7 --hours H`: see long.ts. Exit: 0 valid, 1 violated, 2 wrong usage or
 * no run to be had, 3 inconclusive, 4 ended early.
 */
import { join } from 'node:path'
import { reportOf } from '../../../../drill/report/verdict-text.ts'
import { OUT } from '../../../../std/checkout.ts'
import { endBySignals, exitCode, flagsOf } from '../../../command-line.ts'
import { removeContainersOurselves } from '../../../containers.ts'
import { numberOption } from '../../../program.ts'
import { tortureLong } from './long.ts'

removeContainersOurselves()

function optionsOf() {
  const values = flagsOf({
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    items: { type: 'string', default: '1e7' },
    hours: { type: 'string', default: '6' },
    faults: { type: 'string' },
  })
  return {
    seed: Math.floor(numberOption('seed', values.seed, 2 ** 31)),
    items: Math.floor(numberOption('items', values.items, 1e9)),
    maxMs: numberOption('hours', values.hours, 24) * 3_600_000,
    ...(values.faults === undefined ? {} : { faults: values.faults.split(',') }),
  }
}

const ending = endBySignals()
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const options = optionsOf()
  say(`torture:long: --seed ${options.seed} --items ${options.items}`)
  const folder = join(OUT, 'torture', `long-${options.seed}`)
  const { verdict, figures } = await tortureLong({ ...options, folder, signal: ending, say })
  for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(40)}${value}`)
  process.stdout.write(`\n${reportOf(verdict)}`)
  say(`history and verdict: ${folder}; the same again: --seed ${options.seed} --items ${options.items}`)
  return { valid: 0, violated: 1, inconclusive: 3 }[verdict.kind]
}

process.exitCode = await exitCode(main, { ending, otherwise: 2 })

/**
 * `npm run crash -- --rounds 50 --seed N`: the crash proof at length. Exit: 0 pass, 1 fail, 2 wrong usage,
 * 3 inconclusive.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitCode, flagsOf, usageFault } from '../command-line.ts'
import { runCrashProof } from './proof.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function optionsOf(): { readonly rounds: number; readonly seed: number } {
  const values = flagsOf({
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  })
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)]
  if (Number.isInteger(rounds) && rounds >= 1 && Number.isInteger(seed)) return { rounds, seed }
  throw usageFault('--rounds takes a whole number from 1, --seed a whole number')
}

async function main(): Promise<number> {
  const { rounds, seed } = optionsOf()
  const data = mkdtempSync(join(tmpdir(), 'ingot-crash-'))
  say(`crash proof: ${rounds} rounds, --seed ${seed}`)
  const verdict = await runCrashProof({ data, rounds, seed, onRound: say })
  for (const violation of verdict.violations.slice(0, 20)) say(`VIOLATION ${violation}`)
  say(JSON.stringify(verdict.figures))
  if (verdict.kind === 'inconclusive') say('nothing was acknowledged, or no kill met any traffic: that proves nothing')
  say(verdict.kind === 'pass' ? 'pass' : `${verdict.kind}: the store is left in ${data}; again with --seed ${seed}`)
  if (verdict.kind === 'pass') rmSync(data, { recursive: true, force: true })
  return { pass: 0, fail: 1, inconclusive: 3 }[verdict.kind]
}

process.exitCode = await exitCode(main, { otherwise: 1 })

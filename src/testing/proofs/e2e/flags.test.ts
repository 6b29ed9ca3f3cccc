import { expect, test } from 'vitest'
import { ciPlan, fullPlan, setupName } from '../../../drill/plan.ts'
import { defineCommand, EXIT, parseArguments } from '../../program.ts'
import { type Call, callOf, type Given, OPTIONS } from './flags.ts'

const command = defineCommand({ help: '', examples: [], options: OPTIONS, run: async () => EXIT.fine })

function parseCall(args: readonly string[]): Call {
  const parsed = parseArguments(args, command)
  if (parsed.kind === 'help') throw new Error('help was requested')
  return callOf(parsed.args.values as unknown as Given)
}

const names = (...args: readonly string[]): readonly string[] =>
  parseCall(args).runs.flatMap((run) => run.faults.map((fault) => `${setupName(run)}-${fault}`))

test('without a choice the plan of CI or the full plan is run', () => {
  expect(parseCall([])).toEqual({ runs: ciPlan(), rate: undefined, build: true })
  expect(parseCall(['--full', '--rate', '12', '--no-build'])).toEqual({ runs: fullPlan(), rate: 12, build: false })
})

test('flags choose one setup and its faults', () => {
  expect(names('--mode', 'cluster', '--fault', 'primary-kill,redis-all-kill')).toEqual([
    'cluster-postgres-auto-primary-kill',
    'cluster-postgres-auto-redis-all-kill',
  ])
  expect(names('--fault', 'node-freeze')).toEqual(['sentinel-postgres-auto-node-freeze'])
})

test('faults can be left out of a plan, or of a setup', () => {
  const all = names()
  const left = names('--except', 'primary-service-kill,upgrade-replicas')
  expect(all.filter((name) => !left.includes(name))).toEqual([
    'sentinel-postgres-auto-primary-service-kill',
    'sentinel-postgres-auto-upgrade-replicas',
  ])
  expect(names('--fault', 'primary-kill,primary-delete', '--except', 'primary-kill')).toEqual([
    'sentinel-postgres-auto-primary-delete',
  ])
})

test('the plain kill that an overtaken deletion is compared to is not left out', () => {
  const left = names('--except', 'primary-kill')
  expect(left).not.toContain('sentinel-postgres-auto-primary-kill')
  expect(left).toContain('sentinel-http-auto-primary-kill')
})

test('a control is run without faults if no fault is named', () => {
  const [run] = parseCall(['--store', 'http', '--control', 'no-lock,skipped-fault']).runs
  expect(run?.faults).toEqual([])
  expect(run?.controls.map(({ name }) => name)).toEqual(['no-lock', 'skipped-fault'])
})

test.each([
  ['--mode sentinels', '--mode is "sentinels", write sentinel, cluster, standalone or external'],
  ['--fault a', '--fault "a" is none of primary-kill, primary-delete'],
  ['--fault master-kill', '--fault "master-kill" is none of primary-kill, primary-delete'],
  ['--fault primary-kill --except primary-kill', '--except leaves no drill'],
  ['--except master-kill', '--except "master-kill" is none of primary-kill, primary-delete'],
  ['--mode external --fault redis-all-kill', 'redis-all-kill: no Redis is installed'],
  ['--mode external --store http', 'cannot do without a lock'],
  ['--control no-lock', '--control "no-lock" is none of store postgres\'s: skipped-fault, answer-before-commit'],
  ['--rate 3', '--rate is "3", write an even number from 2'],
  ['--mdoe x', 'unknown option "--mdoe", did you mean "--mode"?'],
  ['postgres', '"postgres" is one argument too many'],
])('%s is refused with a valid example', (line, message) => {
  expect(() => parseCall(line.split(' '))).toThrow(message)
})

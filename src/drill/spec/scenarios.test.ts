import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { parseManifest } from '../../kube/yaml.ts'
import { ROOT } from '../checkout.ts'
import { FAULTS } from './fault.ts'
import { drillOf } from './manifest.ts'
import { planDrill, scenarioOf } from './scenarios.ts'
import { DRILL_SPEC, SCENARIO_NAMES } from './schema.ts'

const target = { release: 'shop' }
const MODES = ['sentinel', 'cluster'] as const

describe.each(MODES)('with %s', (mode) => {
  test.each(SCENARIO_NAMES)('%s has faults that the schema accepts, and a sentence', (name) => {
    const { faults, title } = scenarioOf(name, mode)
    expect(Value.Check(FAULTS, faults)).toBe(true)
    expect(new Set(faults.map((fault) => fault.name)).size).toBe(faults.length)
    expect(title.length).toBeGreaterThan(20)
  })
})

test('the criteria of the spec come before those of the scenario, and the others stay', () => {
  const plan = planDrill({ target, scenario: 'D2', criteria: { failedWrites: 3 } }, 'sentinel')
  expect(plan).toMatchObject({ criteria: { failedWrites: 3, lostItems: 0, redisLoss: 'Forbid' }, isOwn: false })
})

test('a scenario is refused where Redis cannot fail over', () => {
  expect(planDrill({ target, scenario: 'D1' }, 'standalone')).toEqual({
    refused: 'D1 is for sentinel and cluster, and the release has standalone',
  })
})

test('own faults are named in the title, and nothing may be lost', () => {
  const faults = [{ name: 'a', action: 'Kill', target: { component: 'service' } }] as const
  expect(planDrill({ target, faults: [...faults] }, 'external')).toMatchObject({
    title: 'Kill service',
    criteria: { lostItems: 0, duplicates: 0 },
    isOwn: true,
  })
})

const FOLDER = join(ROOT, 'k8s', 'drills')

test.each(readdirSync(FOLDER))('%s is a drill without a namespace, named after its scenario', (file) => {
  const { name, namespace, spec } = drillOf(parseManifest(readFileSync(join(FOLDER, file), 'utf8'), file), file)
  expect(Value.Check(DRILL_SPEC, spec)).toBe(true)
  expect(namespace).toBeUndefined()
  expect(file).toBe(`${name}.yaml`)
  expect(name.startsWith(`d${(spec.scenario ?? '').slice(1).padStart(2, '0')}-`)).toBe(true)
})

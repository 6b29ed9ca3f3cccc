/** Tests the canary, a Redis client that uses the library of the service. */
import { expect, test } from 'vitest'
import { drillCanary } from '../../../src/commands/drill-canary.ts'
import { parseArguments } from '../../../src/commands/line/arguments.ts'
import { kinds, podOf, render, serviceEnv } from './helm.ts'

const OWNER = 'Deployment/ingot-canary'

test('the canary is absent by default', () => {
  expect(kinds(render('postgres'), 'Deployment')).not.toContain('ingot-canary')
})

test('it connects to Redis and to the fence store like the service', () => {
  const service = serviceEnv(render('canary'))
  const [canary] = podOf(render('canary'), OWNER).spec.containers
  const env = new Map((canary?.env ?? []).map((entry) => [entry.name, entry]))
  for (const name of ['INGOT_LOCK_URL', 'INGOT_LOCK_FENCES']) {
    expect(service.get(name)).toBeDefined()
    expect(env.get(name)).toEqual(service.get(name))
  }
  expect(env.get('RATE')?.value).toBe('50')
})

test('ingot accepts its command line', () => {
  const [canary] = podOf(render('canary'), OWNER).spec.containers
  const line = /node dist\/cli\.js drill canary (.*) &$/m.exec(canary?.command?.[2] ?? '')?.[1] ?? ''
  const words = line.replaceAll('"', '').replace('$RATE', '50').replace('$TTL', '10s').split(' ')
  expect(parseArguments(words, drillCanary)).toMatchObject({
    kind: 'arguments',
    args: { values: { rate: '50', ttl: '10s', out: '/out/canary.ndjson', 'stop-file': '/out/stop' } },
  })
})

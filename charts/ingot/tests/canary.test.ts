/** The canary: a client of Redis like the service, by the same library. */
import { expect, test } from 'vitest'
import { drillCanary } from '../../../src/commands/drill-canary.ts'
import { parseArguments } from '../../../src/commands/line/arguments.ts'
import { kinds, podOf, render, serviceEnv } from './helm.ts'

const OWNER = 'Deployment/ingot-canary'

test('it is not there unless asked for', () => {
  expect(kinds(render('postgres'), 'Deployment')).not.toContain('ingot-canary')
})

test('it reaches Redis and the fences as the service does', () => {
  const service = serviceEnv(render('canary'))
  const [canary] = podOf(render('canary'), OWNER).spec.containers
  const env = new Map((canary?.env ?? []).map((entry) => [entry.name, entry]))
  for (const name of ['INGOT_LOCK_URL', 'INGOT_LOCK_FENCES']) {
    expect(service.get(name)).toBeDefined()
    expect(env.get(name)).toEqual(service.get(name))
  }
  expect(env.get('RATE')?.value).toBe('50')
})

test('its command line is one that ingot takes', () => {
  const [canary] = podOf(render('canary'), OWNER).spec.containers
  const line = /node dist\/cli\.js drill canary (.*) &$/m.exec(canary?.command?.[2] ?? '')?.[1] ?? ''
  const words = line.replaceAll('"', '').replace('$RATE', '50').replace('$TTL', '10s').split(' ')
  expect(parseArguments(words, drillCanary)).toMatchObject({
    kind: 'arguments',
    args: { values: { rate: '50', ttl: '10s', out: '/out/canary.ndjson', 'stop-file': '/out/stop' } },
  })
})

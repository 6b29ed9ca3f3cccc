/** Data that Redis has on its disk survives its restart under the users of the chart. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { present } from '../../../testing/present.ts'
import { startStandalone } from '../../../testing/redis/servers.ts'

const SCRIPTS = new URL('../../../../charts/ingot/files/redis/passwords.sh', import.meta.url)
const [DEFAULT_USER = ''] = /user default [^']+/.exec(readFileSync(SCRIPTS, 'utf8')) ?? []
const WRITES = "redis.call('set', 'a', '1') redis.call('set', 'b', '1') return 'written'"

test('data written by a script survives a kill, and the default user stays disabled', async ({ skip }) => {
  const config = ['appendonly yes', 'appendfsync always', 'user tester on nopass ~* &* +@all', DEFAULT_USER]
  const cliArgs = ['--user', 'tester', '--pass', 'any', '--no-auth-warning']
  await using redis = present(await startStandalone({ config, cliArgs }), skip)
  const [port = 0] = redis.ports
  expect(await redis.cli(port, 'eval', WRITES, '0')).toBe('written')
  await redis.signal(port, 'KILL')
  await redis.restart(port)
  for (let tries = 0; tries < 50 && !/^\d/.test(await redis.cli(port, 'dbsize').catch(String)); tries++)
    await sleep(100)
  expect(await redis.cli(port, 'dbsize')).toBe('2')
  expect(await redis.exec('redis-cli', '-p', String(port), 'ping')).toContain('NOAUTH')
})

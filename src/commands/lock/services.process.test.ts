/** `ingot lock` on the lock services other than Redis. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { untilTrue } from '../../std/until.ts'
import { startEtcd } from '../../testing/etcd/servers.ts'
import { startMariadb } from '../../testing/mysql/server.ts'
import { startPostgres } from '../../testing/postgres/server.ts'
import { type Absent, present } from '../../testing/present.ts'
import { endProcesses, runIngot, startIngot } from '../../testing/process.ts'
import { startZooKeeper } from '../../testing/zookeeper/servers.ts'

endProcesses()

interface Service extends AsyncDisposable {
  readonly url: string
}

const SERVICES: readonly (readonly [name: string, start: () => Promise<Service | Absent>])[] = [
  ['etcd', () => startEtcd({ members: 1 })],
  ['zookeeper', () => startZooKeeper({ servers: 1 })],
  ['postgres', () => startPostgres()],
  ['mysql', () => startMariadb()],
]

describe.each(SERVICES)('ingot lock on %s', (_, start) => {
  let started: Service | Absent

  beforeAll(async () => {
    started = await start()
  })
  afterAll(async () => {
    if (!('absent' in started)) await started[Symbol.asyncDispose]()
  })

  const environment = (skip: (reason: string) => never) => ({ INGOT_LOCK_URL: present(started, skip).url })

  test('passes on the exit code, and gives the command a fence that rises', async ({ skip }) => {
    const run = (script: string) => runIngot(['lock', 'job', '--', 'sh', '-c', script], environment(skip))
    expect(await run('exit 7')).toMatchObject({ code: 7, stderr: '' })
    const first = (await run('echo $INGOT_LOCK_FENCE')).stdout
    const second = (await run('echo $INGOT_LOCK_FENCE')).stdout
    expect(BigInt(first)).toBeLessThan(BigInt(second))
  })

  test('ends with 75 while another holds the lock, which --inspect shows', async ({ skip }) => {
    const own = environment(skip)
    const holder = startIngot(['lock', 'held', '--', 'sleep', '300'], own)
    const inspect = async () => (await runIngot(['lock', '--inspect', 'held'], own)).stdout
    const isHeld = async (): Promise<boolean> => (await inspect()).startsWith('held')
    await untilTrue('the lock is held', isHeld, { withinMs: 30_000 })
    expect((await runIngot(['lock', '--no-wait', 'held', '--', 'true'], own)).code).toBe(75)
    holder.kill('SIGTERM')
    expect((await runIngot(['lock', 'held', '--', 'true'], own)).code).toBe(0)
    expect(await inspect()).toBe('free\n')
  })
})

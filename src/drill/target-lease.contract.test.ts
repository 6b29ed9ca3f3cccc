/** The Lease of a target, on a real API server: two drills never hold one release at the same time. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../kube/client/api.ts'
import { createKubeConnection } from '../kube/client/connection.ts'
import { LEASES, type Lease } from '../kube/runtime/leadership-term.ts'
import { systemClock } from '../std/clock.ts'
import { createScope } from '../std/scope.ts'
import { shareApiServer } from '../testing/kube/shared-api-server.ts'
import { leaseNameOf } from './spec/target-lease.ts'
import { holdTarget } from './target-lease.ts'

const server = shareApiServer()
const soon = (): AbortSignal => AbortSignal.timeout(20_000)
let scope = createScope()
let api: KubeApi
let release: string
let tests = 0

beforeEach(({ skip }) => {
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: server(skip).kubeconfig })
  scope = createScope()
  scope.defer(() => connection[Symbol.dispose]())
  api = createKubeApi(connection)
  release = `shop-${++tests}`
})
afterEach(() => scope.close())

const hold = (holder: string, isRunning: (uid: string) => Promise<boolean> = async () => false) =>
  holdTarget({ api, clock: systemClock, namespace: 'default', release, holder, isRunning }, soon())

async function holderNow(): Promise<string | undefined> {
  const lease: Lease | undefined = await api.get(LEASES, { namespace: 'default', name: leaseNameOf(release) }, soon())
  return lease?.spec?.holderIdentity ?? undefined
}

/** Writes a Lease that its holder has not renewed for an hour. */
async function expired(holderIdentity: string): Promise<void> {
  const renewTime = new Date(systemClock.wallMs() - 3_600_000).toISOString().replace('Z', '000Z')
  const metadata = { namespace: 'default', name: leaseNameOf(release) }
  await api.create(LEASES, { metadata, spec: { holderIdentity, leaseDurationSeconds: 60, renewTime } }, soon())
}

test('a held target is refused by the name of its holder, and is free after the drill', async () => {
  const lease = await hold('ann/one')
  await expect(hold('bob/two')).rejects.toMatchObject({
    code: 'DRILL_REFUSED',
    message: expect.stringContaining('ann/one') as string,
  })
  await lease[Symbol.asyncDispose]()
  await using _ = await hold('bob/two')
  expect(await holderNow()).toBe('bob/two')
})

test('of drills that start at the same time, one holds the target', async () => {
  const started = await Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => hold(name)))
  expect(started.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const one of started) if (one.status === 'fulfilled') await one.value[Symbol.asyncDispose]()
})

test('an expired Lease is taken, unless its drill still runs', async () => {
  await expired('uid-1')
  await expect(hold('ann/one', async (uid) => uid === 'uid-1')).rejects.toMatchObject({ code: 'DRILL_REFUSED' })
  await using _ = await hold('ann/one')
  expect(await holderNow()).toBe('ann/one')
})

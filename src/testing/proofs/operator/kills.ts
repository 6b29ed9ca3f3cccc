/**
 * Kills and stops the leader of three operators at random moments, while topologies change all the time, and judges every
 * write that reached the API server.
 */
import type { KubeApi } from '../../../kube/client/api.ts'
import { LEASES } from '../../../kube/runtime/leadership-term.ts'
import { REDIS_TOPOLOGIES } from '../../../operator/kinds/redis-topology.ts'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { untilTrue } from '../../../std/until.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { judgeWrites, type Verdict, type Write } from './judge.ts'

export interface KillsOptions {
  readonly kills: number
  readonly random: () => number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const TOPOLOGIES = 5
/** Time between two changes of a topology, in milliseconds. */
const CHURN_MS = 100
/** Longer than a Lease, so that another process leads when the stopped one goes on. */
const STOPPED_MS = 18_000
const OPERATORS = ['one', 'two', 'three']
const LEASE = { namespace: 'default', name: 'ingot-operator' }
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

/** Rejects if there is no program for an API server. */
export async function runKills(options: KillsOptions): Promise<Verdict> {
  await using scope = createScope()
  const writes: Write[] = []
  const record = (write: Write): void => void writes.push(write)
  const fleet = await startFleet(scope, { operators: OPERATORS, topologies: TOPOLOGIES, record })
  for (const name of OPERATORS) fleet.startOperator(name)
  const churn = new AbortController()
  const churning = keepChanging(fleet.api, AbortSignal.any([churn.signal, options.signal]))
  for (let kill = 1; kill <= options.kills; kill++) await strike(fleet, kill, options)
  churn.abort()
  await churning
  return judgeWrites(writes)
}

async function leaderOf({ api }: Fleet): Promise<string> {
  const lease = await api.get(LEASES, LEASE, soon())
  return /"holderIdentity":"([^_"]*)_/.exec(JSON.stringify(lease?.['spec'] ?? {}))?.[1] ?? ''
}

/** Kills the leader and starts it again, or stops it until another one leads, each third time. */
async function strike(fleet: Fleet, kill: number, { random, say, signal }: KillsOptions): Promise<void> {
  let leader = ''
  const leads = async (): Promise<boolean> => (leader = await leaderOf(fleet)) !== ''
  await untilTrue('a leader', leads, { withinMs: 60_000, everyMs: 100 })
  await systemClock.sleep(500 + random() * 3_000, signal)
  const child = fleet.running.get(leader)
  const isStop = kill % 3 === 0
  say(`${kill}: ${isStop ? 'stopping' : 'killing'} ${leader}`)
  child?.kill(isStop ? 'SIGSTOP' : 'SIGKILL')
  if (isStop) await systemClock.sleep(STOPPED_MS, signal)
  await untilTrue('another leader', async () => (await leaderOf(fleet)) !== leader, { withinMs: 60_000, everyMs: 100 })
  if (isStop) child?.kill('SIGCONT')
  else fleet.startOperator(leader)
}

/** Changes the spec of one topology after the other, so that the leader has a status to write all the time. */
async function keepChanging(api: KubeApi, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const at = { namespace: 'default', name: `t${turn % TOPOLOGIES}` }
    const spec = { paused: Math.floor(turn / TOPOLOGIES) % 2 === 0 }
    await api.patch(REDIS_TOPOLOGIES, at, { spec }, signal).catch(() => undefined)
    await systemClock.sleep(CHURN_MS, signal).catch(() => undefined)
  }
}

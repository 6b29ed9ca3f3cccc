/** One operator with a fault every minute. Samples its memory, its open files and its watches. */
import { readdirSync, readFileSync } from 'node:fs'
import { REDIS_TOPOLOGIES } from '../../../operator/kinds/redis-topology.ts'
import { PODS } from '../../../operator/topology/pods.ts'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { untilTrue } from '../../../std/until.ts'
import { countReady, createFakeTopology } from '../../kube/fake-topologies.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { type Growth, growthOf, type Sample } from './growth.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const NAME = 'one'
const TOPOLOGIES = 10
const SAMPLE_MS = 10_000
const FAULT_MS = 60_000
const NAMESPACE = 'default'
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

/** Each resolves when the fault is over. */
const FAULTS: Readonly<Record<string, (fleet: Fleet) => Promise<void>>> = {
  async 'connections to the API server reset'({ proxies }) {
    proxies.get(NAME)?.reset()
  },
  async 'Redis killed and started'(fleet) {
    fleet.running.get('redis')?.kill('SIGKILL')
    await systemClock.sleep(5_000)
    await fleet.startRedis()
  },
  async 'Redis frozen for 10 s'({ running }) {
    running.get('redis')?.kill('SIGSTOP')
    await systemClock.sleep(10_000)
    running.get('redis')?.kill('SIGCONT')
  },
  // longer than the deadline of the leader, so that its term ends
  async 'the API server frozen for 15 s'({ proxies }) {
    proxies.get(NAME)?.freeze(15_000)
    await systemClock.sleep(15_000)
  },
  async 'a topology deleted and created'({ api, redisPort }) {
    await api.delete(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name: 't0' }, soon())
    for (const pod of (await api.list(PODS, { namespace: NAMESPACE }, soon())).items) {
      if (pod.metadata.name.startsWith('t0-')) await api.delete(PODS, pod.metadata, soon())
    }
    await createFakeTopology(api, 0, redisPort)
  },
}

/** Rejects if there is no program for an API server, or if the operator ends. */
export async function runSoak({ minutes, say, signal }: SoakOptions): Promise<Growth> {
  await using scope = createScope()
  const fleet = await startFleet(scope, { operators: [NAME], topologies: TOPOLOGIES, record: () => undefined })
  fleet.startOperator(NAME)
  await untilTrue('ready topologies', async () => (await countReady(fleet.api)) === TOPOLOGIES, { withinMs: 120_000 })
  const samples: Sample[] = []
  const endMs = performance.now() + minutes * 60_000
  const stop = new AbortController()
  const until = AbortSignal.any([signal, stop.signal])
  const sampling = sampleUntil(fleet, samples, until)
  const faults = Object.entries(FAULTS)
  for (let turn = 0; performance.now() < endMs; turn++) {
    const beganMs = performance.now()
    const [name, inject] = faults[turn % faults.length] ?? ['', async () => undefined]
    await inject(fleet)
    await untilTrue('ready topologies', async () => (await countReady(fleet.api)) === TOPOLOGIES, { withinMs: 120_000 })
    say(`${turn + 1}: ${name}; ${JSON.stringify(samples.at(-1) ?? {})}`)
    await systemClock.sleep(Math.max(0, FAULT_MS - (performance.now() - beganMs)), signal)
  }
  stop.abort()
  await sampling
  return growthOf(samples)
}

async function sampleUntil(fleet: Fleet, samples: Sample[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    samples.push(sampleOf(fleet))
    await systemClock.sleep(SAMPLE_MS, signal).catch(() => undefined)
  }
}

function sampleOf({ running, proxies }: Fleet): Sample {
  const pid = running.get(NAME)?.pid ?? 0
  const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const handles = readdirSync(`/proc/${pid}/fd`).length
  return { residentMiB: Math.round(kib / 1_024), handles, watches: proxies.get(NAME)?.watches ?? 0 }
}

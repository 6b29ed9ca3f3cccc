/** The four scenarios. The libraries take turns in rounds, so that other load on the machine affects all of them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServers, startIndependent, startStandalone } from '../../../src/testing/redis/servers.ts'
import { startTcpProxy } from '../../../src/testing/tcp/proxy.ts'
import { countCommands, resetCommands } from './commands.ts'
import { NAMES, type Name } from './contenders.ts'
import type { Hold } from './worker.ts'
import { startWorker, type Worker } from './workers.ts'

export type Figures = Readonly<Record<string, number>>
export type Table = Readonly<Partial<Record<Name, Figures>>>

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

async function standalone(): Promise<RedisServers> {
  const servers = await startStandalone()
  if ('absent' in servers) throw new Error(servers.absent)
  return servers
}

async function inTurns(names: readonly Name[], rounds: number, turn: (name: Name) => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    // another library starts each time
    const order = names.map((_, i) => names[(i + round) % names.length] ?? 'ingot')
    for (const name of order) await turn(name)
  }
}

/** Starts one process for each library. */
async function withWorkers(
  servers: RedisServers,
  measure: (workers: ReadonlyMap<Name, Worker>) => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const workers = new Map<Name, Worker>()
  for (const name of NAMES) workers.set(name, stack.use(await startWorker(name, servers.ports)))
  await measure(workers)
}

function workerOf(workers: ReadonlyMap<Name, Worker>, name: Name): Worker {
  const worker = workers.get(name)
  if (worker === undefined) throw new Error(`no worker runs ${name}`)
  return worker
}

function tableOf(read: (name: Name) => Figures, names: readonly Name[] = NAMES): Table {
  return Object.fromEntries(names.map((name) => [name, read(name)]))
}

/**
 * Acquires and releases a free key repeatedly. Results are microseconds for both steps. Results more than double if client
 * and server share a core for a while, which says nothing about the libraries, and disturbances only add time. So there are
 * many short rounds, and `quietUs` is the lower quartile of their medians, next to the median of all.
 */
export async function uncontended(rounds: number): Promise<Table> {
  await using servers = await standalone()
  const medians = new Map<Name, number[]>(NAMES.map((name) => [name, []]))
  const all = new Map<Name, number[]>(NAMES.map((name) => [name, []]))
  await withWorkers(servers, async (workers) => {
    for (const name of NAMES) await workerOf(workers, name).ask({ kind: 'uncontended', count: 20_000 })
    await inTurns(NAMES, rounds, async (name) => {
      const { us } = await workerOf(workers, name).ask({ kind: 'uncontended', count: 250 })
      medians.get(name)?.push(quantile(us, 0.5))
      all.get(name)?.push(...us)
    })
  })
  return tableOf((name) => ({
    quietUs: quantile(medians.get(name) ?? [], 0.25),
    medianUs: quantile(medians.get(name) ?? [], 0.5),
    p99Us: quantile(all.get(name) ?? [], 0.99),
  }))
}

/** One process locks 64 keys concurrently. Results are locks per second. */
export async function parallel(rounds: number): Promise<Table> {
  await using servers = await standalone()
  const rates = new Map<Name, number[]>(NAMES.map((name) => [name, []]))
  await withWorkers(servers, async (workers) => {
    for (const name of NAMES) await workerOf(workers, name).ask({ kind: 'parallel', keys: 64, ms: 3_000 })
    await inTurns(NAMES, rounds, async (name) => {
      const { perSecond } = await workerOf(workers, name).ask({ kind: 'parallel', keys: 64, ms: 400 })
      rates.get(name)?.push(perSecond)
    })
  })
  return tableOf((name) => ({ locksPerSecond: quantile(rates.get(name) ?? [], 0.5) }))
}

interface Contention {
  readonly processes: number
  readonly waiters: number
  readonly holdMs: number
  readonly ttlMs: number
}

interface Round {
  readonly holds: readonly Hold[]
  readonly refused: number
}

async function playRound(workers: readonly Worker[], key: string, contention: Contention): Promise<Round> {
  const { processes, waiters, holdMs, ttlMs } = contention
  const results = await Promise.all(
    workers.map((worker) => worker.ask({ kind: 'contend', waiters: waiters / processes, holdMs, ttlMs, key })),
  )
  const holds = results.flatMap((result) => result.holds).toSorted((a, b) => (a.grantedNs < b.grantedNs ? -1 : 1))
  return { holds, refused: results.reduce((sum, { refused }) => sum + refused, 0) }
}

const ms = (ns: bigint): number => Number(ns) / 1e6

/** Time from one release to the next grant. Negative if two holders overlapped. */
function handOffs({ holds }: Round): readonly number[] {
  return holds.slice(1).map((hold, i) => ms(hold.grantedNs - (holds[i]?.releasingNs ?? hold.grantedNs)))
}

function spanMs({ holds }: Round): number {
  const [first, last] = [holds[0], holds.at(-1)]
  return first === undefined || last === undefined ? Number.NaN : ms(last.releasingNs - first.grantedNs)
}

async function contended(
  servers: RedisServers,
  ports: readonly number[],
  terms: { readonly name: Name; readonly rounds: number; readonly contention: Contention },
): Promise<Figures> {
  const { name, rounds, contention } = terms
  await using stack = new AsyncDisposableStack()
  const workers: Worker[] = []
  for (let i = 0; i < contention.processes; i++) workers.push(stack.use(await startWorker(name, ports)))
  await playRound(workers, 'warm', { ...contention, waiters: contention.processes })
  await resetCommands(servers)
  const played: Round[] = []
  for (let i = 0; i < rounds; i++) played.push(await playRound(workers, `hot:${i % 3}`, contention))
  const { sent, executed } = await countCommands(servers, name)
  const grants = played.reduce((sum, { holds }) => sum + holds.length, 0)
  const gaps = played.flatMap(handOffs)
  return {
    served: grants / (rounds * contention.waiters),
    sentPerGrant: sent / grants,
    executedPerGrant: executed / grants,
    handOffMedianMs: quantile(gaps, 0.5),
    handOffP99Ms: quantile(gaps, 0.99),
    overlaps: gaps.filter((gap) => gap < 0).length,
    totalOverHolds: played.reduce((sum, r) => sum + spanMs(r), 0) / (grants * contention.holdMs),
  }
}

/** 20 waiters in 4 processes on one key of one server. Each holds the lock for 50 ms. */
export async function oneKey(rounds: number, rivalRounds: number): Promise<Table> {
  const table: Partial<Record<Name, Figures>> = {}
  const contention = { processes: 4, waiters: 20, holdMs: 50, ttlMs: 10_000 }
  for (const name of NAMES) {
    await using servers = await standalone()
    table[name] = await contended(servers, servers.ports, {
      name,
      rounds: name === 'ingot' ? rounds : rivalRounds,
      contention,
    })
  }
  return table
}

/** The default `max-lease`, plus the margin of a client for the server's whole seconds and for clocks. */
const COUNTED_AFTER_MS = 11_200

/** 20 contenders in 4 processes, 5 nodes, a delay of 0 to 10 ms per packet and direction. Each holds for 5 ms. */
export async function fiveNodes(rounds: number): Promise<Table> {
  const table: Partial<Record<Name, Figures>> = {}
  const contention = { processes: 4, waiters: 20, holdMs: 5, ttlMs: 5_000 }
  for (const name of NAMES) {
    // without persistence, as in the other scenarios
    const servers = await startIndependent(5, [])
    if ('absent' in servers) throw new Error(servers.absent)
    await using stack = new AsyncDisposableStack()
    stack.use(servers)
    // ingot counts no vote of such a server until the longest lease that it may have lost has ended
    await sleep(COUNTED_AFTER_MS)
    const ports: number[] = []
    for (const port of servers.ports) {
      ports.push(stack.use(await startTcpProxy(port, { delayMs: () => Math.random() * 10 })).port)
    }
    table[name] = await contended(servers, ports, { name, rounds, contention })
  }
  return table
}

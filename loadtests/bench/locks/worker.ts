/** A process that uses one library. Executes the orders of the benchmark and responds with the measurements. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Contender, LIBRARIES, type Name } from './contenders.ts'

export type Order =
  | { readonly kind: 'uncontended'; readonly count: number }
  | { readonly kind: 'parallel'; readonly keys: number; readonly ms: number }
  | {
      readonly kind: 'contend'
      readonly waiters: number
      readonly holdMs: number
      readonly key: string
      readonly ttlMs: number
    }

/** Times are nanoseconds of the monotonic clock of the machine, which is the same for all processes. */
export interface Hold {
  readonly grantedNs: bigint
  readonly releasingNs: bigint
}

export type Result =
  | { readonly kind: 'ready' }
  | { readonly kind: 'uncontended'; readonly us: readonly number[] }
  | { readonly kind: 'parallel'; readonly perSecond: number }
  | { readonly kind: 'contend'; readonly holds: readonly Hold[]; readonly refused: number }
  | { readonly kind: 'failed'; readonly reason: string }

const TTL_MS = 10_000

async function uncontended(contender: Contender, count: number): Promise<Result> {
  const us: number[] = []
  for (let i = 0; i < count; i++) {
    const began = performance.now()
    const release = await contender.acquire(`uncontended:${i % 100}`, TTL_MS)
    await release()
    us.push((performance.now() - began) * 1_000)
  }
  return { kind: 'uncontended', us }
}

async function parallel(contender: Contender, keys: number, ms: number): Promise<Result> {
  const began = performance.now()
  let locks = 0
  const loop = async (_: unknown, n: number): Promise<void> => {
    while (performance.now() - began < ms) {
      const release = await contender.acquire(`parallel:${n}`, TTL_MS)
      await release()
      locks++
    }
  }
  await Promise.all(Array.from({ length: keys }, loop))
  return { kind: 'parallel', perSecond: (1_000 * locks) / (performance.now() - began) }
}

async function contend(contender: Contender, order: Extract<Order, { kind: 'contend' }>): Promise<Result> {
  const holds: Hold[] = []
  let refused = 0
  const wait = async (): Promise<void> => {
    try {
      const release = await contender.acquire(order.key, order.ttlMs)
      const grantedNs = process.hrtime.bigint()
      await sleep(order.holdMs)
      holds.push({ grantedNs, releasingNs: process.hrtime.bigint() })
      await release()
    } catch {
      refused++ // gave up, which is a valid result
    }
  }
  await Promise.all(Array.from({ length: order.waiters }, wait))
  return { kind: 'contend', holds, refused }
}

function perform(contender: Contender, order: Order): Promise<Result> {
  switch (order.kind) {
    case 'uncontended':
      return uncontended(contender, order.count)
    case 'parallel':
      return parallel(contender, order.keys, order.ms)
    case 'contend':
      return contend(contender, order)
    default:
      return order satisfies never
  }
}

const say = (result: Result): void => void process.send?.(result)
const failed = (thrown: unknown): void => say({ kind: 'failed', reason: String(thrown) })

async function main(name: Name, ports: readonly number[]): Promise<void> {
  const contender = await LIBRARIES[name].open(ports)
  process.on('message', (order: Order) => void perform(contender, order).then(say, failed))
  say({ kind: 'ready' })
}

process.on('disconnect', () => process.exit())
// only the benchmark starts this program, with a name of the table
main(process.argv[2] as Name, (process.argv[3] ?? '').split(',').map(Number)).catch(failed)

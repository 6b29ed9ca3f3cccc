/**
 * Proves that responses wait for the disk. SIGKILL cannot show a missing fsync, because writes of a dead process remain
 * in the system's memory. So the service runs under strace, and the proof reads its system calls:
 * - For every item, its write to the log precedes a sync of the log, which precedes the response.
 * - After a restart the log is synced before the first response. The previous process may have died between its write
 *   and its sync, and `duplicate` promises that the item is durable.
 * - The parent of each created folder is synced before the first response.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FailpointName } from '../../../std/failpoint.ts'
import { type Answer, ask, jsonOf, linesOf, openStream } from '../../http/requests.ts'
import { startService, within } from '../../service.ts'
import {
  foldersSyncedBefore,
  parseTrace,
  type Saved,
  type SystemCall,
  syncedBefore,
  unsyncedResponses,
} from './system-calls.ts'

export interface SyncProofOptions {
  /** An empty or missing folder for the store and the traces. */
  readonly folder: string
  readonly failpoints?: readonly FailpointName[]
}

export interface SyncVerdict {
  readonly kind: 'pass' | 'fail'
  readonly problems: readonly string[]
  /** Number of responses that were traced. */
  readonly responses: number
}

/** Returns why the proof cannot run on this machine, or undefined if it can. */
export function whyNoStrace(): string | undefined {
  const { status, error } = spawnSync('strace', ['-e', 'trace=none', 'true'], { stdio: 'ignore' })
  if (error !== undefined) return 'strace is not installed'
  return status === 0 ? undefined : 'strace may not trace processes here'
}

/** Resolves with the problems found. Needs strace, see `whyNoStrace`. */
export async function runSyncProof({ folder, failpoints = [] }: SyncProofOptions): Promise<SyncVerdict> {
  // two levels deep, so that one folder only contains another folder
  const data = join(folder, 'made', 'data')
  mkdirSync(folder, { recursive: true })
  const first = await traced({ data, trace: join(folder, 'first.strace'), failpoints }, saveSamples)
  const again = await traced({ data, trace: join(folder, 'again.strace'), failpoints }, (url) =>
    saveOne(url, 'single 0'),
  )
  const problems = [
    ...unsyncedResponses(first.calls, first.result),
    ...unsyncedFolders(first.calls, first.result, data),
    ...(syncedBefore(again.calls, again.result.id)
      ? []
      : ['after a restart a duplicate was returned before the log had been synced']),
  ]
  return { kind: problems.length === 0 ? 'pass' : 'fail', problems, responses: first.result.length + 1 }
}

const CALLS = 'trace=write,writev,pwrite64,pwritev,sendmsg,sendto,fsync,fdatasync'

interface Tracing {
  readonly data: string
  readonly trace: string
  readonly failpoints: readonly FailpointName[]
}

async function traced<T>(
  { data, trace, failpoints }: Tracing,
  work: (url: string) => Promise<T>,
): Promise<{ readonly calls: readonly SystemCall[]; readonly result: T }> {
  const strace = ['strace', '-f', '-yy', '-v', '-s', '100000', '-o', trace, '-e', CALLS, '-e', 'signal=none']
  await using service = await startService({ data, failpoints, under: strace })
  const result = await within(work(service.url), 60_000, () => 'the requests took more than a minute')
  // not a graceful shutdown, which would sync everything and hide the work of the restart
  await service.kill()
  return { calls: parseTrace(readFileSync(trace, 'latin1')), result }
}

function unsyncedFolders(calls: readonly SystemCall[], saved: readonly Saved[], data: string): readonly string[] {
  const synced = foldersSyncedBefore(calls, saved[0]?.id ?? '')
  const needed = [data, dirname(data), dirname(dirname(data))]
  return needed.filter((one) => !synced.has(one)).map((one) => `folder ${one} was not synced before the first response`)
}

const COLLECTION = '/v1/collections/synced/items'

/** Returns a marker that lies in one piece on a page of the log. */
const markerOf = (what: string): string => `marker of ${what}.`

function post(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return ask(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
}

function savedAs(what: string, id: unknown): Saved {
  if (typeof id !== 'string') throw new Error(`the response to ${what} has no id`)
  return { what, marker: markerOf(what), id }
}

async function saveOne(url: string, what: string, headers?: Readonly<Record<string, string>>): Promise<Saved> {
  const response = await post(`${url}${COLLECTION}`, JSON.stringify({ m: markerOf(what) }), headers)
  return savedAs(what, jsonOf(response)['id'])
}

/** Saves samples through every form of request, sequentially and concurrently. */
async function saveSamples(url: string): Promise<readonly Saved[]> {
  const saved: Saved[] = []
  for (let n = 0; n < 6; n++) saved.push(await saveOne(url, `single ${n}`))
  for (let n = 0; n < 3; n++) saved.push(await saveOne(url, `keyed ${n}`, { 'idempotency-key': `key-${n}` }))
  for (let n = 0; n < 2; n++) saved.push(...(await saveBatch(url, n)))
  saved.push(...(await saveStream(url)))
  saved.push(...(await saveAtOnce(url)))
  return saved
}

async function saveBatch(url: string, batch: number): Promise<readonly Saved[]> {
  const names = Array.from({ length: 5 }, (_, n) => `batch ${batch} item ${n}`)
  const response = await post(`${url}${COLLECTION}:batch`, JSON.stringify(names.map((name) => ({ m: markerOf(name) }))))
  const { items } = jsonOf<{ items: { id: string }[] }>(response)
  return names.map((name, at) => savedAs(name, items[at]?.id))
}

/** Saves lines one by one. Each line waits for the response to the previous one, so that each has its own commit. */
async function saveStream(url: string): Promise<readonly Saved[]> {
  const { request, response } = openStream(`${url}${COLLECTION}`)
  const names = Array.from({ length: 5 }, (_, n) => `line ${n}`)
  const saved: Saved[] = []
  request.write(lineOf(names[0]))
  for await (const text of linesOf(await response)) {
    const { id } = JSON.parse(text) as { id?: string }
    const name = names[saved.length]
    if (name === undefined) break
    saved.push(savedAs(name, id))
    const next = names[saved.length]
    if (next === undefined) request.end()
    else if (!request.write(lineOf(next))) await once(request, 'drain')
  }
  return saved
}

function lineOf(name = ''): string {
  return `${JSON.stringify({ m: markerOf(name) })}\n`
}

/** Saves each content twice concurrently. Both responses must have waited for the sync. */
async function saveAtOnce(url: string): Promise<readonly Saved[]> {
  const names = Array.from({ length: 12 }, (_, n) => `concurrent ${n}`)
  const saved = await Promise.all([...names, ...names].map((name) => saveOne(url, name)))
  return saved.slice(0, names.length)
}

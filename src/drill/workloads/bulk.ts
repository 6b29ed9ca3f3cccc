/**
 * The bulk workload: millions of items in streams, batches and single requests, with repeats of recent and of old
 * contents, concurrent requests with the same contents to all replicas, and deletions. Requests without an
 * acknowledgement are repeated, as every client must do.
 */
import type { Clock } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import type { Client } from '../process-run.ts'
import type { Form } from '../spelling.ts'
import type { Content, Entry } from './content.ts'
import type { NumberedBook } from './numbered-book.ts'
import type { Sender } from './sender.ts'

/** Parts and settings of the bulk workload. */
export interface BulkWorkload {
  readonly sender: Sender
  /** Addresses of the replicas. */
  readonly targets: readonly string[]
  readonly book: NumberedBook
  readonly clock: Clock
  /** Maximum number of items in one stream. */
  readonly streamItems: number
  readonly routes: Routes
}

/**
 * Chooses the replica of a request. A replica that acknowledged nothing gets no requests for a moment, as with a load
 * balancer.
 */
export interface Routes {
  pick(random: Random): string
  note(to: string, isAcknowledged: boolean): void
}

const AWAY_MS = 1_000

/** Returns the routes to the targets. */
export function createRoutes(targets: readonly string[], clock: Clock): Routes {
  const awayUntilMs = new Map<string, number>()
  return {
    pick(random) {
      const nowMs = clock.monotonicMs()
      const present = targets.filter((to) => (awayUntilMs.get(to) ?? 0) <= nowMs)
      return random.pick(present.length === 0 ? targets : present)
    },
    note(to, isAcknowledged) {
      if (isAcknowledged) awayUntilMs.delete(to)
      else awayUntilMs.set(to, clock.monotonicMs() + AWAY_MS)
    },
  }
}

const REPEATS = 0.12
/** Pause after a request without any acknowledgement, in milliseconds. */
const BACK_OFF_MS = [50, 300] as const

/** Returns a client that sends until its signal aborts. */
export function bulkClient(workload: BulkWorkload, name: string): Client {
  return async (random, signal) => {
    while (!signal.aborted) {
      const isAcknowledged = await step(workload, name, random)
      if (!isAcknowledged) await pause(workload, random, signal)
    }
  }
}

/** Returns a client that deletes recent contents, and immediately sends half of them again. */
export function deletingClient(workload: BulkWorkload, name: string): Client {
  const { book, sender, routes } = workload
  return async (random, signal) => {
    while (!signal.aborted) {
      const content = book.recentAcknowledged(random)
      const id = content === undefined ? undefined : sender.idOf(content)
      if (content !== undefined && id !== undefined) {
        await sender.remove(name, routes.pick(random), content, id)
        if (random.chance(0.5))
          await send(workload, { name, to: routes.pick(random), form: 'single' }, [content], random)
      }
      await pause(workload, random, signal)
    }
  }
}

/**
 * Returns the client for the time after the faults. It sends all open contents and a sample of the acknowledged ones
 * until they are acknowledged. It also sends `fresh` new contents, so that every part of the history has something to
 * judge.
 */
export function settleBulk(workload: BulkWorkload, fresh: number): Client {
  const { book, routes } = workload
  return async (random, signal) => {
    const how = (form: Form) => ({ name: 'settle', to: routes.pick(random), form })
    await send(workload, how('batch'), book.sample(), random)
    for (let left = fresh; left > 0; left -= SETTLE_ITEMS) {
      await send(
        workload,
        how('batch'),
        Array.from({ length: Math.min(left, SETTLE_ITEMS) }, () => book.fresh()),
        random,
      )
    }
    for (let open = book.takeOpen(SETTLE_ITEMS); open.length > 0; open = book.takeOpen(SETTLE_ITEMS)) {
      if (signal.aborted) return
      const isAcknowledged = await send(workload, how('batch'), open, random)
      if (!isAcknowledged) await pause(workload, random, signal)
    }
  }
}

const SETTLE_ITEMS = 500

function step(workload: BulkWorkload, name: string, random: Random): Promise<boolean> {
  const { routes, streamItems } = workload
  const to = routes.pick(random)
  const dice = random.next()
  if (dice < 0.2) return send(workload, { name, to, form: 'single' }, draw(workload, random, 1), random)
  if (dice < 0.35)
    return send(workload, { name, to, form: 'batch' }, draw(workload, random, random.between(2, 400)), random)
  if (dice < 0.42) return sendEverywhere(workload, name, random)
  const count = random.between(Math.ceil(streamItems / 4), streamItems)
  return send(workload, { name, to, form: 'stream' }, draw(workload, random, count), random)
}

/** Returns open contents first, then new ones mixed with repeats. */
function draw({ book }: BulkWorkload, random: Random, count: number): readonly Content[] {
  const open = book.takeOpen(count)
  const rest = Array.from({ length: count - open.length }, () => {
    const repeat = random.chance(REPEATS) ? book.repeat(random) : undefined
    return repeat ?? book.fresh()
  })
  return [...open, ...rest]
}

/** Sends the same contents to all replicas at the same time, in different spellings. */
async function sendEverywhere(workload: BulkWorkload, name: string, random: Random): Promise<boolean> {
  const contents = draw(workload, random, random.between(1, 50))
  const sent = await Promise.all(
    workload.targets.map((to, index) =>
      send(workload, { name: `${name}.${index}`, to, form: 'batch' }, contents, random),
    ),
  )
  return sent.some(Boolean)
}

interface How {
  readonly name: string
  readonly to: string
  readonly form: Form
}

/** Resolves with true if any of the contents was acknowledged. */
async function send(
  { sender, book, routes }: BulkWorkload,
  { name, to, form }: How,
  contents: readonly Content[],
  random: Random,
): Promise<boolean> {
  const sent = contents.map(
    (content): Entry => ({ content, spelling: random.between(0, content.spellings.length - 1) }),
  )
  const outcomes = await sender.save(name, to, sent, form)
  for (const [index, content] of contents.entries()) book.note(content, outcomes[index] ?? 'info')
  const isAcknowledged = outcomes.includes('ok')
  routes.note(to, isAcknowledged)
  return isAcknowledged
}

async function pause({ clock }: BulkWorkload, random: Random, signal: AbortSignal): Promise<void> {
  // the loop of the caller checks the signal
  await clock.sleep(random.between(...BACK_OFF_MS), signal).catch(() => {})
}

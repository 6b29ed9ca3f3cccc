/**
 * The item workload: clients send single items, batches and streams to any replica. They repeat contents that other
 * clients have sent or are sending, send the same content to all replicas at the same time, and delete items if the
 * store can.
 */
import type { Clock } from '../../std/clock.ts'
import type { Random } from '../../std/random.ts'
import type { Form } from '../spelling.ts'
import { type Content, createContent, type Entry, JSON_MEDIA } from './content.ts'
import type { Outcome, Sender } from './sender.ts'

/** Parts and settings of the item workload. */
export interface ItemWorkload {
  readonly sender: Sender
  /** Addresses of the replicas. */
  readonly targets: readonly string[]
  readonly contents: ContentBook
  readonly clock: Clock
  readonly deletes: boolean
  /** Longest pause of a client between two requests, in milliseconds. */
  readonly pauseMs: number
  readonly signal: AbortSignal
}

/** The contents sent so far, and those without any response. */
export interface ContentBook {
  fresh(random: Random): Content
  /** Returns a new content or a repeat. A repeat is often of a content sent a moment ago. */
  draw(random: Random, form: Form): Entry
  /** Returns a content that was sent, or undefined if there is none. */
  old(random: Random): Content | undefined
  note(content: Content, outcome: Outcome): void
  /** Returns the contents that were sent and never acknowledged, except refused ones. */
  unsettled(): readonly Content[]
  /** Returns at most `most` acknowledged contents, from the complete run. */
  acknowledged(most: number): readonly Content[]
  readonly size: number
}

const REPEATS = 0.3
const RECENT = 20

/** Returns a book without contents. */
export function createContentBook(): ContentBook {
  const contents: Content[] = []
  const open = new Set<Content>()
  const settled = new Set<Content>()

  function fresh(random: Random): Content {
    const content = createContent(contents.length, random)
    contents.push(content)
    return content
  }
  function old(random: Random): Content | undefined {
    if (contents.length === 0) return undefined
    return random.pick(random.chance(0.7) ? contents.slice(-RECENT) : contents)
  }
  function suitable(random: Random, form: Form): Content {
    const repeat = random.chance(REPEATS) ? old(random) : undefined
    const content = repeat ?? fresh(random)
    return form === 'single' || content.media === JSON_MEDIA ? content : suitable(random, form)
  }
  return {
    fresh,
    old,
    draw(random, form) {
      const content = suitable(random, form)
      return { content, spelling: random.between(0, content.spellings.length - 1) }
    },
    note(content, outcome) {
      if (outcome === 'ok') settled.add(content)
      if (outcome === 'info') open.add(content)
    },
    acknowledged(most) {
      const all = [...settled]
      const every = Math.max(1, Math.ceil(all.length / most))
      return all.filter((_, index) => index % every === 0)
    },
    unsettled: () => [...open].filter((content) => !settled.has(content)),
    get size() {
      return contents.length
    },
  }
}

/** Runs one client until the signal aborts. */
export async function runItemClient(workload: ItemWorkload, process: string, random: Random): Promise<void> {
  const { signal, clock, pauseMs } = workload
  while (!signal.aborted) {
    await step(workload, process, random)
    // the loop above checks the signal
    await clock.sleep(random.between(0, pauseMs), signal).catch(() => {})
  }
}

async function step(workload: ItemWorkload, process: string, random: Random): Promise<void> {
  const dice = random.next()
  if (workload.deletes && dice < 0.1) return removeOne(workload, process, random)
  if (dice < 0.25) return sendEverywhere(workload, process, random)
  if (dice < 0.6) return send(workload, process, random, { form: 'single', count: 1 })
  if (dice < 0.8) return send(workload, process, random, { form: 'batch', count: random.between(2, 8) })
  return send(workload, process, random, { form: 'stream', count: random.between(2, 15) })
}

interface Load {
  readonly form: Form
  readonly count: number
}

async function send(
  { contents, sender, targets }: ItemWorkload,
  process: string,
  random: Random,
  { form, count }: Load,
): Promise<void> {
  const sent = Array.from({ length: count }, () => contents.draw(random, form))
  const outcomes = await sender.save(process, random.pick(targets), sent, form)
  for (const [index, { content }] of sent.entries()) contents.note(content, outcomes[index] ?? 'info')
}

/** Sends the same content to all replicas at the same time. */
async function sendEverywhere({ contents, sender, targets }: ItemWorkload, process: string, random: Random) {
  const { content } = contents.draw(random, 'single')
  await Promise.all(
    targets.map(async (to, index) => {
      const entry = { content, spelling: index % content.spellings.length }
      const [outcome] = await sender.save(`${process}.${index}`, to, [entry], 'single')
      contents.note(content, outcome ?? 'info')
    }),
  )
}

/** Deletes a content. Often sends it again immediately: it must not be a duplicate of the deleted item. */
async function removeOne({ contents, sender, targets }: ItemWorkload, process: string, random: Random): Promise<void> {
  const content = contents.old(random)
  const id = content === undefined ? undefined : sender.idOf(content)
  if (content === undefined || id === undefined) return
  await sender.remove(process, random.pick(targets), content, id)
  if (random.chance(0.5)) return
  const [outcome] = await sender.save(process, random.pick(targets), [{ content, spelling: 0 }], 'single')
  contents.note(content, outcome ?? 'info')
}

/** Number of concurrent repeats, and the pause before the next attempt of each, in milliseconds. */
const AGAIN_AT_ONCE = 8
const AGAIN_MS = 100

/** Number of acknowledged contents that are sent again at the end. */
const AGAIN_ACKNOWLEDGED = 60

/**
 * Runs after the recovery. Sends contents of unknown outcome again until they are acknowledged or the signal aborts.
 * Also sends some acknowledged contents, which must still be stored, and a few new ones, so that there is something to
 * judge if no outcome was unknown.
 */
export async function settle(workload: ItemWorkload, random: Random): Promise<void> {
  const { contents, targets } = workload
  const acknowledged = contents.acknowledged(AGAIN_ACKNOWLEDGED)
  const queue = [...acknowledged, ...contents.unsettled(), ...targets.map(() => contents.fresh(random))]
  const senders = Array.from({ length: AGAIN_AT_ONCE }, async (_, index) => {
    for (let content = queue.pop(); content !== undefined; content = queue.pop()) {
      await sendUntilAcknowledged(workload, `settle-${index}`, content, random)
    }
  })
  await Promise.all(senders)
}

async function sendUntilAcknowledged(workload: ItemWorkload, process: string, content: Content, random: Random) {
  const { sender, targets, signal, clock, contents } = workload
  while (!signal.aborted) {
    const [outcome] = await sender.save(process, random.pick(targets), [{ content, spelling: 0 }], 'single')
    contents.note(content, outcome ?? 'info')
    if (outcome === 'ok') return
    await clock.sleep(AGAIN_MS, signal).catch(() => {})
  }
}

/**
 * Computes the contents of the load test from the run's name and the iteration's number alone. k6 and the judge of its
 * run compute the same contents, so the possible requests of a truncated run are known too. Runs in k6 as well as in
 * Node, so it uses no API of either.
 *
 * Iterations come in pairs that start at the same moment in different virtual users. The even one sends a new content.
 * The odd one sends the same content at the same time in half the cases, an older one in a fifth, and a new one in the
 * others.
 */
import { createRandom, type Random } from '../../../std/random.ts'
import { escapeAll, type Form, LETTERS } from '../../spelling.ts'

/** One item of a request. */
export interface PlannedItem {
  /** Identifies the content: `RUN/USER.ITERATION.NUMBER`. */
  readonly key: string
  /** One of its spellings in JSON, on one line. */
  readonly text: string
}

/** The request of one iteration. */
export interface Shot {
  readonly form: Form
  /** Items of distinct contents. */
  readonly items: readonly PlannedItem[]
}

/** Number of logical users. A content has the name of its user and the count of that user's items. */
const USERS = 16
/** Maximum distance of a repeat, in iterations. */
const REACH = 400
const MAX_ITEMS = 6
const MAX_TEXT = 120

/** Returns the request of iteration number `iteration` of the run, from 0. */
export function shotAt(run: string, iteration: number): Shot {
  const random = createRandom(seedOf(`${run}/${iteration}`))
  const form = formOf(random.next())
  const count = form === 'single' ? 1 : random.between(2, MAX_ITEMS)
  const items = new Map<string, PlannedItem>()
  for (let slot = 0; slot < count; slot++) {
    const [from, number] = sourceOf(random, iteration, slot)
    const item = itemOf(run, from, { number, spelling: random.between(0, 2) })
    if (!items.has(item.key)) items.set(item.key, item)
  }
  return { form, items: Array.from(items.values()) }
}

function formOf(dice: number): Form {
  if (dice < 0.5) return 'single'
  return dice < 0.8 ? 'batch' : 'stream'
}

/**
 * Returns the iteration and number of the content in a slot. The first content of an even iteration is always its own.
 */
function sourceOf(random: Random, iteration: number, slot: number): readonly [number, number] {
  const dice = random.next()
  if (slot > 0) return dice < 0.2 ? [earlier(random, iteration), 0] : [iteration, slot]
  if (iteration % 2 === 0 || dice < 0.3) return [iteration, 0]
  return dice < 0.8 ? [iteration - 1, 0] : [earlier(random, iteration), 0]
}

/** Returns an even iteration before this one. */
function earlier(random: Random, iteration: number): number {
  const back = random.between(2, Math.max(2, Math.min(iteration, REACH)))
  const from = Math.max(0, iteration - back)
  return from - (from % 2)
}

interface Spelled {
  readonly number: number
  readonly spelling: number
}

/** Returns the item in one of three spellings. */
function itemOf(run: string, iteration: number, { number, spelling }: Spelled): PlannedItem {
  const user = iteration % USERS
  const turn = Math.floor(iteration / USERS)
  const key = `${run}/${user}.${turn}.${number}`
  const random = createRandom(seedOf(key))
  const text = Array.from({ length: random.between(0, MAX_TEXT) }, () => random.pick(LETTERS)).join('')
  const price = random.between(0, 4_000) / 4
  return { key, text: spell({ run, user, iteration: turn, number, text, price }, spelling) }
}

interface Content {
  readonly run: string
  readonly user: number
  readonly iteration: number
  readonly number: number
  readonly text: string
  readonly price: number
}

function spell(content: Content, spelling: number): string {
  const { run, user, iteration, number, text, price } = content
  const name = JSON.stringify(run)
  if (spelling === 0) return JSON.stringify(content)
  if (spelling === 1) {
    const rest = `"number" :${number}, "iteration":\t${iteration}.0e0,"user":${user}, "run": ${name}`
    return `{ "price":\t${price.toFixed(2)}, "text" : ${JSON.stringify(text)}, ${rest} }`
  }
  return `{"text":${escapeAll(text)},"run":${name},"number":${number},"user":${user},"price":${price},"iteration":${iteration}}`
}

/** Returns the FNV-1a hash over UTF-16 units. Source: Noll, "FNV Hash", http://www.isthe.com/chongo/tech/comp/fnv. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

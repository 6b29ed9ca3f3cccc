/**
 * The clients of the crash proof. They send single items, batches and streams concurrently, and mix new contents with
 * repeats of contents that others have sent or are sending. They continue until they are stopped, or until the service
 * dies.
 */
import { Agent } from 'node:http'
import { bytesOf, type Content, createContent, type Entry, JSON_MEDIA } from '../../../drill/workloads/content.ts'
import type { Random } from '../../../std/random.ts'
import { type Answer, linesOf, openStream, wholeAnswer } from '../../http/requests.ts'
import type { Ledger } from './ledger.ts'
import { COLLECTION_PATH, enter, isAccepted, type PlannedRequest, type RepeatableResponse, send } from './requests.ts'

/** A request with an Idempotency-Key, to be sent again later. */
export interface Keyed {
  readonly planned: PlannedRequest
  response: RepeatableResponse | undefined
}

/** State that all clients share in one run of the proof. */
export interface TrafficState {
  readonly ledger: Ledger
  readonly contents: Content[]
  readonly keyed: Keyed[]
  requests: number
}

/** Running clients of the proof. */
export interface Traffic {
  /** Makes broken connections and refusals expected from now on. */
  expectEnd(): void
  /** Returns the number of requests without a response. */
  openRequests(): number
  /** Resolves when every client has ended. They end when the service is gone. */
  readonly ended: Promise<void>
}

const SINGLE_CLIENTS = 4
const BATCH_CLIENTS = 2
const STREAM_CLIENTS = 2

/** Returns the state before the first request. */
export function createTrafficState(ledger: Ledger): TrafficState {
  return { ledger, contents: [], keyed: [], requests: 0 }
}

/** Starts the clients. */
export function startTraffic(url: string, shared: TrafficState, random: Random): Traffic {
  const state: ClientState = { url, shared, ending: false, underWay: 0 }
  const agent = new Agent({ keepAlive: true })
  const kinds: readonly [number, Step][] = [
    [SINGLE_CLIENTS, (own) => putOne(state, own, agent)],
    [BATCH_CLIENTS, (own) => putBatch(state, own, agent)],
    [STREAM_CLIENTS, (own) => putStream(state, own)],
  ]
  const clients = kinds.flatMap(([count, step]) => Array.from({ length: count }, () => run(state, random.fork(), step)))
  return {
    expectEnd: () => void (state.ending = true),
    openRequests: () => state.underWay,
    ended: Promise.all(clients).then(() => agent.destroy()),
  }
}

interface ClientState {
  readonly url: string
  readonly shared: TrafficState
  ending: boolean
  underWay: number
}

/** Sends one request. Rejects if the connection breaks. */
type Step = (random: Random) => Promise<void>

async function run(state: ClientState, random: Random, step: Step): Promise<void> {
  for (;;) {
    state.underWay++
    try {
      await step(random)
    } catch (failure) {
      if (!state.ending) state.shared.ledger.violate(`the service failed by itself: ${String(failure)}`)
      return
    } finally {
      state.underWay--
    }
  }
}

/**
 * Returns a new content or a repeat. A repeat is often of a content sent a moment ago, so that it may still be in
 * progress.
 */
function chooseEntry({ contents, ledger }: TrafficState, random: Random, jsonOnly: boolean): Entry {
  const repeat = contents.length > 0 && random.chance(0.4)
  const recent = random.chance(0.5) ? contents.slice(-50) : contents
  const known = repeat ? random.pick(recent) : undefined
  if (known === undefined || (jsonOnly && known.media !== JSON_MEDIA))
    return newEntry(contents, random, jsonOnly, ledger)
  return sent(ledger, { content: known, spelling: random.between(0, known.spellings.length - 1) })
}

function newEntry(contents: Content[], random: Random, jsonOnly: boolean, ledger: Ledger): Entry {
  const content = createContent(contents.length, random)
  contents.push(content)
  if (jsonOnly && content.media !== JSON_MEDIA) return newEntry(contents, random, jsonOnly, ledger)
  return sent(ledger, { content, spelling: random.between(0, content.spellings.length - 1) })
}

function sent(ledger: Ledger, entry: Entry): Entry {
  ledger.send(entry)
  return entry
}

function putOne(state: ClientState, random: Random, agent: Agent): Promise<void> {
  return put(
    state,
    plan(state.shared, random, { kind: 'single', entries: [chooseEntry(state.shared, random, false)] }),
    agent,
  )
}

function putBatch(state: ClientState, random: Random, agent: Agent): Promise<void> {
  const entries = Array.from({ length: random.between(1, 40) }, () => chooseEntry(state.shared, random, true))
  return put(state, plan(state.shared, random, { kind: 'batch', entries }), agent)
}

function plan(shared: TrafficState, random: Random, what: Pick<PlannedRequest, 'kind' | 'entries'>): PlannedRequest {
  const number = ++shared.requests
  return random.chance(0.3) ? { ...what, number, idempotencyKey: `key-${number}` } : { ...what, number }
}

async function put(state: ClientState, planned: PlannedRequest, agent: Agent): Promise<void> {
  const { shared } = state
  const keyed: Keyed = { planned, response: undefined }
  if (planned.idempotencyKey !== undefined) shared.keyed.push(keyed)
  const sentAt = shared.ledger.tick()
  const response = await send(state.url, planned, agent)
  if (!isAccepted(response)) return refused(state, planned.number, response)
  enter(shared.ledger, planned, sentAt, response)
  keyed.response = { status: response.status, body: response.body.toString() }
}

/** Handles a refusal. A draining service may refuse with SHUTTING_DOWN, which promises nothing and ends the client. */
function refused(state: ClientState, number: number, response: Answer): void {
  const text = response.body.toString()
  const what = `request ${number} returned ${response.status}: ${text.slice(0, 300)}`
  const properly =
    response.status === 503 && text.includes('"SHUTTING_DOWN"') && response.headers['retry-after'] !== undefined
  if (!state.ending || !properly) state.shared.ledger.violate(what)
  throw new Error(what)
}

interface LineResult {
  readonly line?: number
  readonly id: string
  readonly status: 'created' | 'duplicate'
  readonly summary?: { readonly lines: number; readonly created: number; readonly duplicate: number }
  readonly error?: { readonly code: string; readonly nextLine: number }
}

/** Number of lines that a client sends ahead of their responses. */
const WINDOW = 100

interface SentLine {
  readonly entry: Entry
  readonly sentAt: number
}

async function putStream(state: ClientState, random: Random): Promise<void> {
  const { shared } = state
  const { request, response } = openStream(`${state.url}${COLLECTION_PATH}`)
  const number = ++shared.requests
  const lines: SentLine[] = []
  const total = random.between(50, 600)
  const counts = { lines: 0, created: 0, duplicate: 0, failed: 0 }
  const more = (): void => {
    // if the service is gone, the missing responses show it
    if (request.destroyed || request.writableEnded) return
    request.write(linesUpTo(Math.min(total, counts.lines + WINDOW), lines, shared, random))
    if (lines.length === total) request.end()
  }
  more()
  const head = await response
  if (head.statusCode !== 200) return refused(state, number, await wholeAnswer(head))
  for await (const text of linesOf(head)) {
    const result = JSON.parse(text) as LineResult
    if (result.summary !== undefined) return checkSummary(shared.ledger, result.summary, counts)
    const sentLine = lines[counts.lines]
    if (result.error !== undefined || sentLine === undefined || result.line !== counts.lines + 1) {
      return handleStreamEnd(state, counts.lines, text, result)
    }
    counts[result.status]++
    counts.lines++
    const { entry, sentAt } = sentLine
    const name = `${number}.${counts.lines}`
    shared.ledger.acknowledge({ entry, id: result.id, status: result.status, request: { name, sentAt } })
    if (lines.length - counts.lines < WINDOW / 2) more()
  }
  throw new Error('the stream ended without its summary')
}

/** Returns the text of the lines up to number `end` that were not sent yet. */
function linesUpTo(end: number, lines: SentLine[], shared: TrafficState, random: Random): string {
  let text = ''
  while (lines.length < end) {
    const entry = chooseEntry(shared, random, true)
    lines.push({ entry, sentAt: shared.ledger.tick() })
    text += `${bytesOf(entry).toString()}${random.chance(0.1) ? '\r\n' : '\n'}`
  }
  return text
}

function checkSummary(ledger: Ledger, summary: object, counts: object): void {
  const [reported, counted] = [summary, counts].map((one) => JSON.stringify(one))
  if (reported !== counted) ledger.violate(`the summary of a stream was ${reported}, its lines were ${counted}`)
}

function handleStreamEnd(state: ClientState, completedLines: number, text: string, { error }: LineResult): void {
  const draining = state.ending && error?.code === 'SHUTTING_DOWN' && error.nextLine === completedLines + 1
  if (!draining) state.shared.ledger.violate(`after ${completedLines} lines a stream returned: ${text}`)
  throw new Error(text)
}

/**
 * Sends contents and records the outcomes. Each content is a separate operation in every form of request. Only certain
 * outcomes are recorded as ok or fail; every other one is info.
 */
import { createHash } from 'node:crypto'
import { createLineSplitter } from '../../std/lines.ts'
import type { Entry, Event } from '../history.ts'
import { isRefusal } from '../refusal.ts'
import type { Form } from '../spelling.ts'
import { bytesOf, type Content, JSON_MEDIA, type Entry as Sent } from './content.ts'

/** Settings of a sender. */
export interface SenderOptions {
  readonly record: (entry: Entry) => Event
  readonly collection: string
  /** Timeout of a request, in milliseconds. Its outcome is then unknown. */
  readonly timeoutMs: number
  /** Returns the key of a content in the history. Default: `keyOf`. */
  readonly keyOf?: (content: Content) => string
  /** Number of contents whose id is kept for `idOf`. Default: all. */
  readonly rememberedIds?: number
}

/** Known outcome of an operation on a content. */
export type Outcome = 'ok' | 'fail' | 'info'

/** Sends requests and records an operation for each content. */
export interface Sender {
  /**
   * Sends contents in one request. `to` is a replica's address; `process` is the name of the client. Resolves with one
   * outcome per content.
   */
  save(process: string, to: string, sent: readonly Sent[], form: Form): Promise<readonly Outcome[]>
  remove(process: string, to: string, content: Content, id: string): Promise<Outcome>
  /** Returns the id of a content in its last response, or undefined. */
  idOf(content: Content): string | undefined
}

/** Returns the key of a content in the history: a digest that does not depend on the spelling. */
export function keyOf(content: Content): string {
  return sha256(bytesOf({ content, spelling: 0 }))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Outcome of one content, as it is recorded. */
type RecordedOutcome = Pick<Entry, 'type' | 'result' | 'id' | 'error'>

const MAX_LINE_BYTES = 65_536

/** Returns a sender that uses HTTP. */
export function createSender(options: SenderOptions): Sender {
  return new HttpSender(options)
}

class HttpSender implements Sender {
  readonly #options: SenderOptions
  /** Ids by the number of the content. */
  readonly #ids = new Map<number, string>()
  /** Numbers whose ids are kept, if they are bounded. `#next` is the index of the oldest one. */
  readonly #ring: number[] = []
  #next = 0
  readonly #keyOf: (content: Content) => string
  #ops = 0

  constructor(options: SenderOptions) {
    this.#options = options
    this.#keyOf = options.keyOf ?? keyOf
  }

  idOf(content: Content): string | undefined {
    return this.#ids.get(content.number)
  }

  #remember({ number }: Content, id: string): void {
    const { rememberedIds } = this.#options
    if (rememberedIds !== undefined && !this.#ids.has(number)) {
      // a ring buffer, because finding the oldest key of a Map iterates over all deleted entries
      const oldest = this.#ring[this.#next]
      if (oldest !== undefined) this.#ids.delete(oldest)
      this.#ring[this.#next] = number
      this.#next = (this.#next + 1) % rememberedIds
    }
    this.#ids.set(number, id)
  }

  async save(process: string, to: string, sent: readonly Sent[], form: Form): Promise<readonly Outcome[]> {
    const pending = new Map(sent.map((one, index) => [index, this.#begin({ process, to, form }, one)]))
    const outcomes: Outcome[] = sent.map(() => 'info')
    const onOutcome = (index: number, recorded: RecordedOutcome): void => {
      const base = pending.get(index)
      if (base === undefined) return
      pending.delete(index)
      outcomes[index] = this.#end(base, sent[index]?.content, recorded)
    }
    const failure = await this.#exchange(to, sent, form, onOutcome)
    for (const index of pending.keys()) onOutcome(index, failure)
    return outcomes
  }

  async remove(process: string, to: string, content: Content, id: string): Promise<Outcome> {
    const { collection, record, timeoutMs } = this.#options
    const base = { process, op: `d${++this.#ops}`, f: 'delete', key: this.#keyOf(content), collection, to } as const
    record({ ...base, type: 'invoke' })
    const url = `${this.#path(to)}/${id}`
    const recorded = await fetch(url, { method: 'DELETE', signal: AbortSignal.timeout(timeoutMs) }).then(
      async (response) => removed(response.status, await response.text()),
      failureOf,
    )
    record({ ...base, ...recorded })
    return recorded.type === 'invoke' ? 'info' : recorded.type
  }

  #path(to: string): string {
    return `${to}/v1/collections/${this.#options.collection}/items`
  }

  #begin(how: Pick<Entry, 'process' | 'to' | 'form'>, one: Sent): Omit<Entry, 'type'> {
    const { collection, record } = this.#options
    const op = `s${++this.#ops}`
    const base = { ...how, op, f: 'save', key: this.#keyOf(one.content), collection } as const
    record({ ...base, type: 'invoke', bytes: sha256(bytesOf(one)) })
    return base
  }

  #end(base: Omit<Entry, 'type'>, content: Content | undefined, recorded: RecordedOutcome): Outcome {
    this.#options.record({ ...base, ...recorded })
    if (content !== undefined && recorded.id !== undefined) this.#remember(content, recorded.id)
    return recorded.type === 'invoke' ? 'info' : recorded.type
  }

  /** Calls `onOutcome` for each content with a result of its own. Resolves with the outcome of the others. */
  async #exchange(to: string, sent: readonly Sent[], form: Form, onOutcome: OnOutcome): Promise<RecordedOutcome> {
    try {
      const response = await fetch(`${this.#path(to)}${form === 'batch' ? ':batch' : ''}`, {
        method: 'POST',
        headers: { 'content-type': mediaOf(sent, form) },
        body: bodyOf(sent, form),
        signal: AbortSignal.timeout(this.#options.timeoutMs),
      })
      if (!response.ok) return refused(response.status, await response.text())
      if (form === 'stream') return await readLines(response, onOutcome)
      readItems(await response.json(), onOutcome)
      return { type: 'info', error: 'the response has no result for it' }
    } catch (thrown) {
      return failureOf(thrown)
    }
  }
}

type OnOutcome = (index: number, recorded: RecordedOutcome) => void

function mediaOf(sent: readonly Sent[], form: Form): string {
  if (form === 'stream') return 'application/x-ndjson'
  return form === 'batch' ? JSON_MEDIA : (sent[0]?.content.media ?? JSON_MEDIA)
}

function bodyOf(sent: readonly Sent[], form: Form): Uint8Array<ArrayBuffer> {
  const parts = sent.map(bytesOf)
  if (form === 'single') return new Uint8Array(parts[0] ?? [])
  const texts = parts.map((part) => part.toString('utf8'))
  return new Uint8Array(Buffer.from(form === 'batch' ? `[${texts.join(',')}]` : `${texts.join('\n')}\n`))
}

function refused(status: number, body: string): RecordedOutcome {
  return { type: isRefusal(status) ? 'fail' : 'info', error: `${status} ${body.slice(0, 200)}` }
}

/**
 * Returns the outcome of a request without a response. A connection that was never made is the only certain failure.
 */
function failureOf(thrown: unknown): RecordedOutcome {
  const cause: unknown = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  return { type: code === 'ECONNREFUSED' ? 'fail' : 'info', error: code === '' ? String(cause) : code }
}

function removed(status: number, body: string): RecordedOutcome {
  if (status === 204) return { type: 'ok', result: 'deleted' }
  return status === 404 ? { type: 'ok', result: 'absent' } : refused(status, body)
}

function readItems(body: unknown, onOutcome: OnOutcome): void {
  const list = field(body, 'items')
  const items = Array.isArray(list) ? list : [body]
  for (const [index, item] of items.entries()) onOutcome(index, outcomeOf(item))
}

/** Processes every line when it arrives, so that results before a break count. */
async function readLines(response: Response, onOutcome: OnOutcome): Promise<RecordedOutcome> {
  const splitter = createLineSplitter(MAX_LINE_BYTES)
  let last: RecordedOutcome = { type: 'info', error: 'the stream ended early' }
  try {
    for await (const chunk of response.body ?? []) {
      for (const { bytes } of splitter.push(chunk))
        last = readLine(JSON.parse(bytes.toString('utf8')), onOutcome) ?? last
    }
    return last
  } catch (thrown) {
    return { ...failureOf(thrown), type: 'info' }
  }
}

/** Processes one line. Returns the outcome of all lines that follow, if the line determines it. */
function readLine(result: unknown, onOutcome: OnOutcome): RecordedOutcome | undefined {
  const line = field(result, 'line')
  const error = field(result, 'error')
  if (typeof line === 'number') onOutcome(line - 1, outcomeOf(result))
  return typeof line === 'number' || error === undefined ? undefined : { type: 'info', error: JSON.stringify(error) }
}

/**
 * Returns the outcome of one result. An item that is refused in a batch or a stream was not stored. After a failure of
 * the service it may have been stored.
 */
function outcomeOf(item: unknown): RecordedOutcome {
  const [status, id] = [field(item, 'status'), field(item, 'id')]
  if ((status === 'created' || status === 'duplicate') && typeof id === 'string') {
    return { type: 'ok', result: status, id }
  }
  return { type: 'info', error: JSON.stringify(item).slice(0, 200) }
}

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Object.entries(of).find(([key]) => key === name)?.[1] : undefined
}

/**
 * Runs one connection of an ingest: sends lines and receives results at the same time, until the service's summary, a
 * failure or the signal. A failure is an IngotError; if it is retryable, another connection may continue where this one
 * stopped.
 */
import type { ClientRequest } from 'node:http'
import { IngotError } from '../errors/error.ts'
import { abortable } from '../std/abort.ts'
import type { Clock, Timer } from '../std/clock.ts'
import { createLineSplitter } from '../std/lines.ts'
import { type Answer, type Counts, isRetryable, parseAnswer } from './answers.ts'
import { type Connection, chunksOf, connect, type Service } from './connection.ts'
import type { Feed } from './feed.ts'

export interface ExchangeContext {
  readonly service: Service
  readonly collection: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** The connection counts as broken if no result comes for this time while lines wait for theirs, in milliseconds. */
  readonly stallMs: number
}

/** Results with line numbers of the complete source, not of this connection. */
export type LineAnswer = Extract<Answer, { readonly kind: 'item' | 'failed' }>

/** Maximum bytes of the result of one line. */
const MAX_ANSWER_BYTES = 65_536

/** Sends the chunks of the feed. Resolves with the counts in the service's summary of this connection. */
export async function exchange(
  context: ExchangeContext,
  feed: Feed,
  onAnswer: (answer: LineAnswer) => void,
): Promise<Counts> {
  const linesBefore = feed.rewind()
  const connection = connect(context.service, {
    method: 'POST',
    path: `/v1/collections/${encodeURIComponent(context.collection)}/items`,
    headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
  })
  const watch = createWatch(context)
  const ending = new AbortController()
  const signal = AbortSignal.any([context.signal, watch.signal, ending.signal])
  let unreadable: { readonly failure: unknown } | undefined
  // lines that were sent completely still get their results before an unreadable source ends the exchange
  const endWhenAnswered = (): void => {
    if (unreadable !== undefined && !feed.awaitsAnswer) ending.abort(unreadable.failure)
  }
  const sending = send(connection.request, { feed, signal, onSent: () => watch.touch() }).catch((failure: unknown) => {
    // the receiving side reports a broken connection
    if (signal.aborted) return
    unreadable = { failure }
    endWhenAnswered()
  })
  const takeLine = (answer: LineAnswer): void => {
    onAnswer(answer)
    endWhenAnswered()
  }
  try {
    return await receive(connection, { context, signal, linesBefore, onAnswer: takeLine, watch, feed })
  } catch (failure) {
    throw signal.aborted ? signal.reason : failure
  } finally {
    ending.abort(new IngotError('REMOTE_UNREACHABLE', 'the exchange is over'))
    watch.stop()
    connection.close()
    await sending
  }
}

interface Sending {
  readonly feed: Feed
  readonly signal: AbortSignal
  readonly onSent: () => void
}

async function send(request: ClientRequest, { feed, signal, onSent }: Sending): Promise<void> {
  for (let chunk = await feed.next(signal); chunk !== undefined; chunk = await feed.next(signal)) {
    if (!request.write(chunk)) await drained(request, signal)
    onSent()
  }
  request.end()
}

function drained(request: ClientRequest, signal: AbortSignal): Promise<void> {
  const room = new Promise<void>((resolve) => {
    request.once('drain', resolve)
  })
  return abortable(room, signal)
}

interface Receiving {
  readonly context: ExchangeContext
  readonly feed: Feed
  readonly signal: AbortSignal
  readonly linesBefore: number
  readonly onAnswer: (answer: LineAnswer) => void
  readonly watch: Watch
}

async function receive(connection: Connection, receiving: Receiving): Promise<Counts> {
  const { context, signal, watch, feed } = receiving
  const { url } = context.service
  watch.start(() => feed.awaitsAnswer)
  const splitter = createLineSplitter(MAX_ANSWER_BYTES)
  const response = await connection.response(signal)
  for await (const chunk of chunksOf(response, { url, signal })) {
    watch.touch()
    for (const { bytes } of splitter.push(chunk)) {
      const summary = take(parseAnswer(bytes.toString('utf8')), receiving)
      if (summary !== undefined) return summary
    }
  }
  throw new IngotError('REMOTE_UNREACHABLE', `${url.origin} ended its response before the summary`)
}

/** Returns the counts if the line is the summary. */
function take(answer: Answer, { linesBefore, onAnswer }: Receiving): Counts | undefined {
  switch (answer.kind) {
    case 'summary':
      return answer.counts
    case 'ended':
      throw endedBy(answer.code, answer.detail)
    case 'item':
      onAnswer({ ...answer, line: linesBefore + answer.line })
      return undefined
    case 'failed': {
      const { code, detail, line } = answer.failure
      // the line itself is not the cause, so a retry may help
      if (isRetryable(code)) throw endedBy(code, detail)
      onAnswer({ kind: 'failed', failure: { code, detail, line: linesBefore + line } })
      return undefined
    }
    default:
      return answer satisfies never
  }
}

function endedBy(code: string, detail: string): IngotError {
  const message = `the service ended the stream: ${code} ${detail}`
  return new IngotError(isRetryable(code) ? 'REMOTE_UNREACHABLE' : 'REMOTE_REFUSED', message)
}

interface Watch {
  /** Aborts when nothing has arrived for too long. */
  readonly signal: AbortSignal
  start(waiting: () => boolean): void
  touch(): void
  stop(): void
}

function createWatch({ clock, stallMs }: ExchangeContext): Watch {
  const controller = new AbortController()
  let lastMs = clock.monotonicMs()
  let timer: Timer | undefined
  const touch = (): void => {
    lastMs = clock.monotonicMs()
  }
  function look(waiting: () => boolean): void {
    if (!waiting()) touch()
    const leftMs = lastMs + stallMs - clock.monotonicMs()
    if (leftMs > 0) timer = clock.timer(Math.max(leftMs, 1), () => look(waiting))
    else controller.abort(new IngotError('REMOTE_UNREACHABLE', `the service did not respond for ${stallMs / 1_000} s`))
  }
  return { signal: controller.signal, start: look, touch, stop: () => timer?.cancel() }
}

/**
 * Receives a stream with one item per line, and responds while it reads. The lines of each chunk are identified and
 * submitted; results are written in input order as commits happen. Memory is bounded: at most MAX_OPEN_LINES lines and
 * MAX_OPEN_BYTES bytes are read and still without a result, an unfinished line is charged to the budget of all bodies,
 * and a deadline ends a stream whose reader does not take its results. A stream may be idle between lines, but an
 * unfinished line has a deadline (line-pace.ts).
 *
 * A stream ends in one of three ways:
 *   complete   The input ended and every line has a result. The summary is the last line.
 *   ended      The service drains, the store fails, the client sends too slowly, or the budget is spent. An error with
 *              `nextLine` is the last line, and the connection closes. Every line before `nextLine` has a result. From
 *              that line on nothing was stored, or only items that a repeated line will find as duplicates.
 *   cut        The client left, or did not read its results. The connection is closed without a last line.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { failpoint } from '#failpoint'
import { IngotError, toIngotError } from '../../errors/error.ts'
import type { ItemResult } from '../../items/item.ts'
import type { Submission } from '../../items/pipeline/ingest.ts'
import type { RawContent } from '../../items/prepare.ts'
import { createLineSplitter, type Line } from '../../std/lines.ts'
import { createChunkReader } from '../body/chunk-reader.ts'
import { createLinePace } from '../body/line-pace.ts'
import { dropRest } from '../body/linger.ts'
import type { ReceiveLease } from '../body/receive-budget.ts'
import { createResponseWriter } from '../body/response-writer.ts'
import type { RouteContext } from '../deps.ts'
import { prefersMinimal } from '../prefer.ts'

/** Number of lines that are submitted together. Their results are written together. */
const PORTION_LINES = 512

/** Bytes charged for an open stream. They include an unfinished line up to this length. */
const STREAM_BYTES = 16_384

/** Enough lines to fill batches while earlier ones commit. */
const MAX_OPEN_LINES = 3_072
const MAX_OPEN_BYTES = 8 * 1_024 * 1_024

interface Counts {
  lines: number
  created: number
  duplicate: number
  failed: number
}

export async function answerStream(
  context: RouteContext,
  request: FastifyRequest<{ Params: { collection: string } }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.headers['idempotency-key'] !== undefined) {
    throw new IngotError('IDEMPOTENCY_KEY_INVALID', 'a stream takes no Idempotency-Key: each line is its own key')
  }
  const lease = context.receiving.open()
  try {
    lease.resize(STREAM_BYTES)
    reply.hijack()
    await new StreamExchange(context, { request, reply, lease }).run()
  } finally {
    lease.close()
  }
  return reply
}

type StreamRequest = FastifyRequest<{ Params: { collection: string } }>

interface StreamParts {
  readonly request: StreamRequest
  readonly reply: FastifyReply
  /** Charged for the stream itself and for its unfinished line. */
  readonly lease: ReceiveLease
}

class StreamExchange {
  readonly #context: RouteContext
  readonly #request: StreamRequest
  readonly #reply: FastifyReply
  readonly #lease: ReceiveLease
  readonly #minimal: boolean
  readonly #counts: Counts = { lines: 0, created: 0, duplicate: 0, failed: 0 }
  readonly #splitter
  readonly #writer
  /** Aborts when reading must stop: on draining, or on a failure to respond. */
  readonly #stop = new AbortController()
  #openLines = 0
  #openBytes = 0
  /** Every line before this one has a result. */
  #nextLine = 1
  /** Settles when the results of all chunks so far are written. Each chunk's results wait for those before. */
  #answered: Promise<void> = Promise.resolve()
  #oneAnswered: (() => void) | undefined
  readonly #beganMs: number
  #hasAnswered = false

  constructor(context: RouteContext, { request, reply, lease }: StreamParts) {
    this.#context = context
    this.#request = request
    this.#reply = reply
    this.#lease = lease
    this.#minimal = prefersMinimal(request)
    this.#splitter = createLineSplitter(context.options.maxItemBytes)
    this.#beganMs = context.clock.monotonicMs()
    this.#writer = createResponseWriter(reply.raw, context.clock, context.options.readStallMs)
  }

  async run(): Promise<void> {
    const { raw } = this.#reply
    raw.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      ...(this.#context.leaving.aborted ? { connection: 'close' } : {}),
    })
    raw.flushHeaders()
    const signal = AbortSignal.any([this.#stop.signal, this.#context.draining])
    try {
      await this.#read(signal)
      await this.#answered
      await this.#writer.write(`${JSON.stringify({ summary: this.#counts })}\n`)
      raw.end()
    } catch (thrown) {
      await this.#endEarly(thrown)
    } finally {
      this.#context.counts.streamEnded({ items: this.#counts.lines, seconds: this.#seconds() })
    }
  }

  #seconds(): number {
    return (this.#context.clock.monotonicMs() - this.#beganMs) / 1_000
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, options } = this.#context
    const chunks = createChunkReader(this.#request.raw, clock)
    const pace = createLinePace(clock, { idleMs: options.bodyIdleMs, lineMs: options.bodyTimeMs })
    const next = (): Promise<Buffer | undefined> => chunks.next(signal, pace.wait())
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
      const lines = this.#splitter.push(chunk)
      pace.got(this.#splitter.count, this.#splitter.isInLine)
      this.#lease.resize(Math.max(STREAM_BYTES, this.#splitter.heldBytes))
      await this.#takeAll(lines, signal)
    }
    await this.#takeAll(this.#splitter.end(), signal)
  }

  /** Submits the lines of a chunk in portions, because a chunk may hold tens of thousands of tiny lines. */
  async #takeAll(lines: readonly Line[], signal: AbortSignal): Promise<void> {
    for (let from = 0; from < lines.length; from += PORTION_LINES) {
      await this.#context.ingest.waitForCapacity(signal)
      this.#take(lines.slice(from, from + PORTION_LINES))
      while (this.#openLines > MAX_OPEN_LINES || this.#openBytes > MAX_OPEN_BYTES) await this.#roomForMore(signal)
    }
  }

  #roomForMore(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    return new Promise((resolve) => {
      this.#oneAnswered = resolve
    })
  }

  /** Submits some lines and queues their results. */
  #take(lines: readonly Line[]): void {
    const items = lines.filter((line) => line.tooLong || !isBlank(line.bytes))
    const nextLine = (lines.at(-1)?.line ?? 0) + 1
    const bytes = items.reduce((sum, line) => sum + line.bytes.length, 0)
    this.#openLines += items.length
    this.#openBytes += bytes
    const submitted = this.#submit(items)
    // the queue handles a failure in order; without this handler it would count as unhandled until then
    submitted.catch(() => {})
    this.#answered = this.#answered.then(async () => {
      await this.#answer(items, await submitted)
      this.#nextLine = nextLine
      this.#openLines -= items.length
      this.#openBytes -= bytes
      this.#oneAnswered?.()
    })
    this.#answered.catch((failure: unknown) => {
      this.#stop.abort(failure)
      this.#oneAnswered?.()
    })
  }

  async #submit(items: readonly Line[]): Promise<readonly ItemResult[]> {
    if (items.length === 0) return []
    const { maxItemBytes } = this.#context.options
    const contents = items.map(
      (line): RawContent =>
        line.tooLong
          ? {
              refused: new IngotError(
                'CONTENT_TOO_LARGE',
                `the line has more than ${maxItemBytes} bytes (maxItemBytes)`,
              ),
            }
          : { media: 'application/json', content: line.bytes },
    )
    this.#context.counts.received(contents)
    return this.#submitWhenTaken({ collection: this.#request.params.collection, contents })
  }

  /** Submits. While the queue is full, waits for capacity, repeatedly: other streams may take it first. */
  async #submitWhenTaken(submission: Submission): Promise<readonly ItemResult[]> {
    const { ingest, draining } = this.#context
    const signal = AbortSignal.any([this.#stop.signal, draining])
    for (;;) {
      try {
        return await ingest.submit(submission)
      } catch (thrown) {
        if (!(thrown instanceof IngotError) || thrown.code !== 'OVERLOADED') throw thrown
      }
      await ingest.waitForCapacity(signal)
    }
  }

  async #answer(items: readonly Line[], results: readonly ItemResult[]): Promise<void> {
    let text = ''
    for (let index = 0; index < results.length; index++) {
      const result = results[index]
      const line = items[index]?.line
      if (result === undefined || line === undefined) continue
      this.#counts.lines++
      this.#counts[result.kind === 'refused' ? 'failed' : result.kind]++
      if (!this.#minimal) text += answerLine(line, result)
    }
    if (!this.#hasAnswered && results.length > 0) {
      this.#hasAnswered = true
      this.#context.counts.streamAnswered(this.#seconds())
    }
    this.#context.counts.items('stream', results)
    failpoint('before-answer')
    await this.#writer.write(text)
  }

  /** Writes the pending results and then `nextLine`. Cuts the connection if the client is the cause. */
  async #endEarly(thrown: unknown): Promise<void> {
    const { log, draining } = this.#context
    const { raw } = this.#reply
    // a failure of the queue is either the cause of this call or less important than it
    await this.#answered.catch(() => {})
    const error = draining.aborted
      ? new IngotError('SHUTTING_DOWN', 'the service is shutting down')
      : toIngotError(thrown)
    log.info({ code: error.code, detail: error.message, nextLine: this.#nextLine }, 'stream ended early')
    if (raw.destroyed || error.code === 'READ_STALLED' || error.code === 'CLIENT_GONE') return void raw.destroy()
    const last = { error: { code: error.code, detail: error.message, nextLine: this.#nextLine } }
    const { promise: sent, resolve } = Promise.withResolvers<void>()
    raw.once('finish', resolve).once('close', resolve)
    raw.end(`${JSON.stringify(last)}\n`)
    await Promise.all([sent, dropRest(this.#request.raw, this.#context.clock)])
    this.#request.raw.destroy()
  }
}

function answerLine(line: number, result: ItemResult): string {
  if (result.kind !== 'refused') return `{"line":${line},"id":"${result.id}","status":"${result.kind}"}\n`
  const { code, message, facts } = result.error
  return `${JSON.stringify({ line, error: { code, detail: message, ...facts } })}\n`
}

function isBlank(bytes: Buffer): boolean {
  // most lines begin with a brace
  if ((bytes[0] ?? 0) > 0x20) return false
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}

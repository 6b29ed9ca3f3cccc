/**
 * A stream of items, an item a line, answered while it is read. For each chunk of input the lines are identified and
 * submitted; answers leave in input order as commits happen. Memory is bounded: at most MAX_OPEN_LINES lines and
 * MAX_OPEN_BYTES bytes are read but not answered, and a reader that does not take its answers meets a deadline.
 *
 * How a stream ends, in words:
 *   complete   the input ended and everything was answered: the summary is the last line.
 *   ended      the service drains or the store fails: an error with `nextLine` is the last line; all before that line
 *              was answered, nothing from it on was stored or only what a repeated line will find as a duplicate.
 *   cut        the client went away, or stalled beyond a deadline: the connection is closed without a last line.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { failpoint } from '#failpoint'
import type { Submission } from '../items/ingest.ts'
import type { ItemResult } from '../items/item.ts'
import type { RawContent } from '../items/prepare.ts'
import { Fault, toFault } from '../std/fault.ts'
import { createLineSplitter, type Line } from '../std/lines.ts'
import { createAnswerWriter } from './answer-writer.ts'
import { createChunkReader } from './chunk-reader.ts'
import type { RouteContext } from './deps.ts'
import { prefersMinimal } from './prefer.ts'

/** Enough to keep batches full while the last ones commit. */
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
    throw new Fault('IDEMPOTENCY_KEY_INVALID', 'a stream takes no Idempotency-Key: its lines are their own')
  }
  reply.hijack()
  await new StreamExchange(context, request, reply).run()
  return reply
}

type StreamRequest = FastifyRequest<{ Params: { collection: string } }>

class StreamExchange {
  readonly #context: RouteContext
  readonly #request: StreamRequest
  readonly #reply: FastifyReply
  readonly #minimal: boolean
  readonly #counts: Counts = { lines: 0, created: 0, duplicate: 0, failed: 0 }
  readonly #splitter
  readonly #writer
  /** Fires when nothing more is to be read: draining, or a failure while answering. */
  readonly #stop = new AbortController()
  #openLines = 0
  #openBytes = 0
  /** Everything before this line has been answered. */
  #nextLine = 1
  /** Answers the chunks in order: each one's answer waits for the one before. */
  #answered: Promise<void> = Promise.resolve()
  #oneAnswered: (() => void) | undefined

  constructor(context: RouteContext, request: StreamRequest, reply: FastifyReply) {
    this.#context = context
    this.#request = request
    this.#reply = reply
    this.#minimal = prefersMinimal(request)
    this.#splitter = createLineSplitter(context.options.maxItemBytes)
    this.#writer = createAnswerWriter(reply.raw, context.clock, context.options.readStallMs)
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
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, options, ingest } = this.#context
    const chunks = createChunkReader(this.#request.raw, clock, options.bodyIdleMs)
    for (let chunk = await chunks.next(signal); chunk !== undefined; chunk = await chunks.next(signal)) {
      await ingest.room(signal)
      this.#take(this.#splitter.push(chunk))
      while (this.#openLines > MAX_OPEN_LINES || this.#openBytes > MAX_OPEN_BYTES) await this.#roomForMore(signal)
    }
    this.#take(this.#splitter.end())
  }

  #roomForMore(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    return new Promise((resolve) => {
      this.#oneAnswered = resolve
    })
  }

  /** Submits the lines of a chunk and appends their answer to the queue. */
  #take(lines: readonly Line[]): void {
    const items = lines.filter((line) => line.tooLong || !isBlank(line.bytes))
    const nextLine = this.#splitter.count + 1
    const bytes = items.reduce((sum, line) => sum + line.bytes.length, 0)
    this.#openLines += items.length
    this.#openBytes += bytes
    const submitted = this.#submit(items)
    // its failure is met below, in order; without this it would count as unhandled until then
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
          ? { refused: new Fault('CONTENT_TOO_LARGE', `the line has more than ${maxItemBytes} bytes (maxItemBytes)`) }
          : { media: 'application/json', content: line.bytes },
    )
    return this.#submitWhenTaken({ collection: this.#request.params.collection, contents })
  }

  /** Waits for room as often as it takes: other streams may have been faster to what became free. */
  async #submitWhenTaken(submission: Submission): Promise<readonly ItemResult[]> {
    const { ingest, draining } = this.#context
    const signal = AbortSignal.any([this.#stop.signal, draining])
    for (;;) {
      try {
        return await ingest.submit(submission)
      } catch (thrown) {
        if (!(thrown instanceof Fault) || thrown.code !== 'OVERLOADED') throw thrown
      }
      await ingest.room(signal)
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
    this.#context.counts.items('stream', results)
    failpoint('before-answer')
    await this.#writer.write(text)
  }

  /** Answers what was submitted, then says where to go on; cuts the connection when the client is the trouble. */
  async #endEarly(thrown: unknown): Promise<void> {
    const { log, draining } = this.#context
    const { raw } = this.#reply
    // the queue's own failure is what brought us here, or comes to nothing beside it
    await this.#answered.catch(() => {})
    const fault = draining.aborted ? new Fault('SHUTTING_DOWN', 'the service is shutting down') : toFault(thrown)
    log.info({ code: fault.code, detail: fault.message, nextLine: this.#nextLine }, 'stream ended early')
    if (raw.destroyed || fault.code === 'READ_STALLED') return void raw.destroy()
    const last = { error: { code: fault.code, detail: fault.message, nextLine: this.#nextLine } }
    raw.end(`${JSON.stringify(last)}\n`)
    await this.#linger()
  }

  /** Takes in and drops what the client still sends: closing at once would reset the connection before it has read. */
  async #linger(): Promise<void> {
    const { raw } = this.#request
    raw.resume()
    await this.#context.clock.sleep(LINGER_MS, AbortSignal.any([])).catch(() => {})
    raw.destroy()
  }
}

/** How long the rest of a refused body is taken in. */
const LINGER_MS = 500

function answerLine(line: number, result: ItemResult): string {
  if (result.kind !== 'refused') return `{"line":${line},"id":"${result.id}","status":"${result.kind}"}\n`
  const { code, message, facts } = result.fault
  return `${JSON.stringify({ line, error: { code, detail: message, ...facts } })}\n`
}

function isBlank(bytes: Buffer): boolean {
  // most lines begin with a brace
  if ((bytes[0] ?? 0) > 0x20) return false
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}

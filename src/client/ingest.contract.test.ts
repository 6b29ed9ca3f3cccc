/** The client against a real server over real sockets, which misbehaves according to a script. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { systemClock } from '../std/clock.ts'
import { createLineSplitter, type Line } from '../std/lines.ts'
import { createCertificates } from '../testing/redis/certificates.ts'
import type { LineFailure } from './answers.ts'
import { createFeed } from './feed.ts'
import { createIngestRun, type IngestOptions } from './ingest.ts'

/** The behaviour of one connection. `stored` outlives connections, as a store does. */
type Script = (peer: Peer) => Promise<void> | void

interface Peer {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Sends results as a correct service would, at most so many. Resolves with true if the input ended. */
  serve(most?: number): Promise<boolean>
  summary(): void
}

const stored = new Map<string, number>()
const servers: Server[] = []

afterEach(() => {
  stored.clear()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

function peerOf(request: IncomingMessage, response: ServerResponse): Peer {
  const counts = { lines: 0, created: 0, duplicate: 0, failed: 0 }
  const answer = ({ line, bytes }: Line): void => {
    const text = bytes.toString()
    if (text.trim() === '') return
    counts.lines++
    if (text === 'bad') {
      counts.failed++
      response.write(`${JSON.stringify({ line, error: { code: 'JSON_INVALID', detail: 'bad' } })}\n`)
      return
    }
    const status = stored.has(text) ? 'duplicate' : 'created'
    stored.set(text, (stored.get(text) ?? 0) + 1)
    counts[status]++
    response.write(`${JSON.stringify({ line, id: 'j1', status })}\n`)
  }
  return {
    request,
    response,
    async serve(most = Number.POSITIVE_INFINITY) {
      const splitter = createLineSplitter(1_000)
      response.writeHead(200, { 'content-type': 'application/x-ndjson' })
      response.flushHeaders()
      for await (const chunk of request) {
        for (const line of splitter.push(chunk as Buffer)) {
          if (counts.lines >= most) return false
          answer(line)
        }
      }
      for (const line of splitter.end()) answer(line)
      return true
    },
    summary: () => void response.end(`${JSON.stringify({ summary: counts })}\n`),
  }
}

const good: Script = async (peer) => {
  if (await peer.serve()) peer.summary()
}

/** Runs one script per connection; the last one serves all further connections. */
async function start(...scripts: Script[]): Promise<URL> {
  let connections = 0
  const server = createServer((request, response) => {
    const script = scripts[Math.min(connections++, scripts.length - 1)] ?? good
    // a script that breaks its connection fails while reading it
    void (async () => script(peerOf(request, response)))().catch(() => {})
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

interface Outcome {
  readonly state: { created: number; duplicate: number; failed: number; items: number; line: number }
  readonly failure: unknown
  readonly failures: LineFailure[]
  readonly retries: IngotError[]
}

async function* inChunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000)
}

async function ingest(
  url: URL,
  text: string | AsyncIterable<Buffer>,
  more: Partial<IngestOptions> = {},
): Promise<Outcome> {
  const chunks = typeof text === 'string' ? inChunks(Buffer.from(text)) : text
  const feed = createFeed({ chunks, positionBytes: () => 0 })
  const failures: LineFailure[] = []
  const retries: IngotError[] = []
  const run = createIngestRun(feed, {
    service: { url, token: undefined },
    collection: 'orders',
    clock: systemClock,
    signal: AbortSignal.timeout(20_000),
    retryForMs: 5_000,
    random: () => 0.01,
    onFailure: (failure) => void failures.push(failure),
    onRetry: (error) => void retries.push(error),
    ...more,
  })
  const failure = await run.finish().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { state: { ...run.state }, failure, failures, retries }
}

const LINES = Array.from({ length: 500 }, (_, n) => `{"n":${n}}`)
const TEXT = `${LINES.join('\n')}\n`

describe('an ingest', () => {
  test('counts the results of the service, with the line numbers of the source', async () => {
    const outcome = await ingest(await start(good), '1\n\nbad\n1\n2')
    expect(outcome).toEqual({
      state: { created: 2, duplicate: 1, failed: 1, items: 4, line: 5 },
      failure: undefined,
      failures: [{ line: 3, code: 'JSON_INVALID', detail: 'bad' }],
      retries: [],
    })
  })

  test('succeeds with an empty source', async () => {
    expect(await ingest(await start(good), '')).toMatchObject({ state: { items: 0 }, failure: undefined })
  })

  test('sends its token, and a body without a length', async () => {
    let headers: IncomingMessage['headers'] = {}
    const url = await start(async (peer) => {
      headers = peer.request.headers
      await good(peer)
    })
    await ingest(url, '1\n', { service: { url, token: 'secret' } })
    expect(headers).toMatchObject({
      authorization: 'Bearer secret',
      'content-type': 'application/x-ndjson',
      'transfer-encoding': 'chunked',
    })
  })

  test('reads results while it sends: both directions exceed any buffer', async () => {
    const count = 200_000
    async function* many(): AsyncGenerator<Buffer> {
      for (let n = 0; n < count; n += 1_000) {
        yield Buffer.from(Array.from({ length: 1_000 }, (_, i) => `{"n":${n + i}}\n`).join(''))
      }
    }
    expect((await ingest(await start(good), many())).state).toMatchObject({ created: count, items: count })
  })

  test.each([
    ['is cut', (peer: Peer) => void peer.response.destroy()],
    [
      'is cut within a result',
      (peer: Peer) => void peer.response.write('{"line":101,"id', () => peer.response.destroy()),
    ],
    ['ends without a summary', (peer: Peer) => void peer.response.end()],
    [
      'is ended by a service that shuts down',
      (peer: Peer) => void peer.response.end('{"error":{"code":"SHUTTING_DOWN","nextLine":101}}\n'),
    ],
    [
      'has a line that the store could not take',
      (peer: Peer) => void peer.response.write('{"line":101,"error":{"code":"STORE_UNAVAILABLE"}}\n'),
    ],
  ])('continues at the first line without a result when the connection %s', async (how, end) => {
    const breaking: Script = async (peer) => {
      await peer.serve(100)
      end(peer)
    }
    const outcome = await ingest(await start(breaking, breaking, good), TEXT)
    expect(outcome).toMatchObject({ failure: undefined, state: { failed: 0, items: 500, line: 500 } })
    // results sent just before the cut may not have arrived: those lines are sent again
    if (!how.startsWith('is cut')) expect(outcome.state).toMatchObject({ created: 500, duplicate: 0 })
    expect(outcome.retries.length).toBe(2)
    expect([...stored.keys()]).toEqual(LINES)
  })

  test('reports a line that was saved without a result as a duplicate of itself', async () => {
    const silent: Script = async (peer) => {
      stored.set(LINES[0] ?? '', 1)
      peer.response.destroy()
    }
    expect(await ingest(await start(silent, good), TEXT)).toMatchObject({
      failure: undefined,
      state: { created: 499, duplicate: 1 },
    })
  })

  test('waits as long as an overloaded service requests', async () => {
    const overloaded: Script = ({ response }) => {
      response.writeHead(503, { 'retry-after': '1', 'content-type': 'application/problem+json' })
      response.end('{"code":"STORE_UNAVAILABLE","detail":"no"}')
    }
    const started = performance.now()
    expect(await ingest(await start(overloaded, good), '1\n')).toMatchObject({ failure: undefined })
    expect(performance.now() - started).toBeGreaterThan(900)
  })

  test('gives up with the reason when no result came for too long', async () => {
    const closed = await start((peer) => void peer.response.destroy())
    const { failure, retries } = await ingest(closed, '1\n', { retryForMs: 300 })
    expect(failure).toMatchObject({ code: 'REMOTE_UNREACHABLE' })
    expect(retries.length).toBeGreaterThan(3)
  })

  test('treats a service that neither responds nor closes the connection as a broken connection', async () => {
    const silent: Script = async (peer) => {
      await peer.serve(3)
      await systemClock.sleep(10_000)
    }
    const outcome = await ingest(await start(silent, good), TEXT, { stallMs: 200 })
    expect(outcome).toMatchObject({ failure: undefined, state: { created: 500 } })
    expect(outcome.retries[0]?.message).toContain('did not respond for 0.2 s')
  })

  test('accepts a slow pipe: only lines without a result have a deadline', async () => {
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n')
      await systemClock.sleep(600)
      yield Buffer.from('2\n')
    }
    const outcome = await ingest(await start(good), slow(), { stallMs: 200 })
    expect(outcome).toMatchObject({ failure: undefined, retries: [], state: { created: 2 } })
  })

  test('sends the lines of a paused pipe again at once, not when the pipe goes on', async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    async function* pausing(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n')
      await goOn
    }
    const cutting: Script = async ({ request, response }) => {
      request.once('data', () => response.destroy())
    }
    const answering: Script = async (peer) => {
      peer.request.once('data', () => resolve())
      await good(peer)
    }
    expect(await ingest(await start(cutting, answering), pausing())).toMatchObject({
      failure: undefined,
      state: { created: 1 },
    })
  })

  test('accepts a pipe that pauses longer than the retry time, even if the service closes the connection meanwhile', async () => {
    async function* pausing(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n')
      await systemClock.sleep(600)
      yield Buffer.from('2\n')
    }
    const impatient: Script = async (peer) => {
      peer.request.once('data', () => {
        setTimeout(() => peer.response.end('{"error":{"code":"BODY_STALLED","nextLine":2}}\n'), 50)
      })
      await peer.serve()
    }
    const outcome = await ingest(await start(impatient, good), pausing(), { retryForMs: 200 })
    expect(outcome).toMatchObject({ failure: undefined, state: { created: 2 } })
    expect(outcome.retries.length).toBe(1)
  })

  test.each([
    [401, '{"code":"TOKEN_MISSING","detail":"no token","title":"send one"}', /401 TOKEN_MISSING: no token: send one/],
    [404, '<html>no such page</html>', /404: <html>no such page/],
    [500, '{"code":"INTERNAL","detail":"bug"}', /500 INTERNAL/],
  ])('ends at once when the status is %i', async (status, body, message) => {
    const refusing: Script = ({ response }) => void response.writeHead(status).end(body)
    const { failure, retries } = await ingest(await start(refusing), TEXT)
    expect(failure).toMatchObject({ code: 'REMOTE_REFUSED' })
    expect(String(failure)).toMatch(message)
    expect(retries).toEqual([])
  })

  test('ends at once when the certificate is not trusted, and explains how to trust it', async () => {
    using certificates = createCertificates()
    const server = createSecureServer({ cert: certificates.read('server.pem'), key: certificates.read('server.key') })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const { failure, retries } = await ingest(url, TEXT)
    expect(failure).toMatchObject({ code: 'REMOTE_REFUSED' })
    expect(String(failure)).toContain('NODE_EXTRA_CA_CERTS')
    expect(retries).toEqual([])
  })

  test.each([
    ['sends counts other than its results', '{"summary":{"lines":2,"created":2,"duplicate":0,"failed":0}}', /counts 2/],
    ['leaves out a line', '{"summary":{"lines":1,"created":1,"duplicate":0,"failed":0}}', /answered 1 of 2/],
    ['answers a line twice', '{"line":1,"id":"j1","status":"created"}', /out of order/],
    ['answers a line that was not sent', '{"line":9,"id":"j1","status":"created"}', /out of order/],
    ['answers something else', '<html>', /not a response/],
  ])('refuses a service that %s', async (_, last, message) => {
    const lying: Script = async ({ request, response }) => {
      request.resume()
      await new Promise((resolve) => request.once('end', resolve))
      response.writeHead(200)
      response.end(`{"line":1,"id":"j1","status":"created"}\n${last}\n`)
    }
    const { failure } = await ingest(await start(lying), '1\n2\n')
    expect(failure).toMatchObject({ code: 'REMOTE_REFUSED' })
    expect(String(failure)).toMatch(message)
  })

  test('ends at the signal, and reports its progress', async () => {
    const controller = new AbortController()
    const slow: Script = async (peer) => {
      await peer.serve(100)
      controller.abort(new Error('ended by SIGINT'))
    }
    const { failure, state } = await ingest(await start(slow), TEXT, { signal: controller.signal })
    expect(failure).toBe(controller.signal.reason)
    expect(state.line).toBeLessThanOrEqual(100)
  })

  test('fails when the source becomes unreadable', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n')
      throw new IngotError('INPUT_UNREADABLE', 'the disk is gone')
    }
    const { failure, retries } = await ingest(await start(good), broken())
    expect(failure).toMatchObject({ code: 'INPUT_UNREADABLE' })
    expect(retries).toEqual([])
  })
})

/** HTTP client for tests: complete responses, and streams with independent directions. */
import { type Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'

export interface Sending {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  readonly agent?: Agent
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Sends a request and resolves with the complete response. Rejects if the connection breaks before. */
export function ask(url: string, sending: Sending = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, agent } = sending
    const sent = request(url, { method, headers, ...(agent && { agent }) })
    sent.on('error', reject)
    sent.on('response', (response) => void wholeAnswer(response).then(resolve, reject))
    sent.end(body)
  })
}

/** Resolves with the complete response. Rejects if the connection breaks before. */
export async function wholeAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }
}

/** Returns the JSON of a response. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the test states the expected type
export function jsonOf<T = Record<string, unknown>>(answer: { readonly body: Buffer }): T {
  return JSON.parse(answer.body.toString('utf8')) as T
}

export interface Duplex {
  readonly request: ClientRequest
  /** Resolves with the head of the response. Rejects if the connection breaks before. */
  readonly response: Promise<IncomingMessage>
}

/** Opens a request whose body the caller writes piece by piece. */
export function openStream(url: string, headers: Readonly<Record<string, string>> = {}): Duplex {
  const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/x-ndjson', ...headers } })
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve)
    sent.on('error', reject)
  })
  // the caller that waits for the response gets the error of a broken connection
  response.catch(() => {})
  sent.flushHeaders()
  return { request: sent, response }
}

/** Yields the lines of a response as they arrive. Throws if the connection breaks. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const text of response as AsyncIterable<string>) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

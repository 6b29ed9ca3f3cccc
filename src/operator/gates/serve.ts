/** Serves the gates over HTTP, in every process of the operator. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { type Listening, listenOn } from '../listen.ts'
import { type GateResponse, type GateSource, handleGate, refusal } from './handle.ts'
import { NO_TOKEN, type TokenCheck, tokensOf } from './token.ts'

export interface GateOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** File with the bearer tokens. Default: no token is needed. */
  readonly tokenFile: string | undefined
  readonly source: GateSource
  readonly clock: Clock
  readonly log: Log
}

/** Longest time for a request, in milliseconds. */
const REQUEST_MS = 10_000

/** Serves until it is disposed. Rejects with CONFIG_INVALID if the address or the file of the tokens cannot be used. */
export async function serveGates({ listen, tokenFile, source, clock, log }: GateOptions): Promise<Listening> {
  const tokens = tokenFile === undefined ? NO_TOKEN : tokensOf(tokenFile)
  await tokens.check(undefined)
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    // the body of a webhook decides nothing
    request.resume()
    respond(request, tokens, source, clock).then(
      (result) => write(response, result),
      (cause: unknown) => {
        log.error({ err: cause }, 'a gate could not respond')
        write(
          response,
          refusal(503, 'TokenUnreadable', 'the tokens of the gates cannot be read; see the log of the operator'),
        )
      },
    )
  })
  server.maxConnections = 256
  return listenOn(server, listen, 'INGOT_GATES_LISTEN')
}

async function respond(
  { method = '', url = '', headers }: IncomingMessage,
  tokens: TokenCheck,
  source: GateSource,
  clock: Clock,
): Promise<GateResponse> {
  if ((await tokens.check(headers.authorization)) === 'refused') {
    const refused = refusal(
      401,
      'TokenRefused',
      'send the header Authorization: Bearer TOKEN with a token of the gates',
    )
    return { ...refused, headers: { 'www-authenticate': 'Bearer' } }
  }
  return handleGate({ method, url }, source, clock.wallMs())
}

function write(response: ServerResponse, { status, headers, body }: GateResponse): void {
  const fixed = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  response.writeHead(status, { ...fixed, ...headers }).end(`${JSON.stringify(body)}\n`)
}

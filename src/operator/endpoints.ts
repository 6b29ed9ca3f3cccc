/** Metrics and health of the operator over HTTP. */
import { createServer, type ServerResponse } from 'node:http'
import { reasonOf } from '../errors/error.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Listening, listenOn } from './listen.ts'

export interface EndpointOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly metrics: Metrics
  /** Returns why the process is not ready, or undefined. */
  readonly notReady: () => string | undefined
}

/** Serves `/metrics`, `/healthz` and `/readyz`. Rejects with CONFIG_INVALID if the address cannot be used. */
export async function serveEndpoints({ listen, metrics, notReady }: EndpointOptions): Promise<Listening> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/healthz') return text(response, 200, 'ok\n')
    if (path === '/readyz') {
      const why = notReady()
      return text(response, why === undefined ? 200 : 503, `${why ?? 'ok'}\n`)
    }
    if (path !== '/metrics') return text(response, 404, 'there are /metrics, /healthz and /readyz\n')
    metrics.render().then(
      ({ contentType, body }) => text(response, 200, body, contentType),
      (cause: unknown) => text(response, 500, `${reasonOf(cause)}\n`),
    )
  })
  return listenOn(server, listen, 'INGOT_LISTEN')
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type }).end(body)
}

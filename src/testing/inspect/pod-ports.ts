/** The part of an API server that forwards ports of pods, over a WebSocket with the protocol `v4.channel.k8s.io`. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'

/** A message of the API server begins with the number of its channel: of the first port, data and problems. */
const DATA = 0
const PROBLEM = 1
const END_OF_HEAD = '\r\n\r\n'

export interface PodPorts {
  /** Accepts the connection. `body` is the response of the pod to each GET, as JSON. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, body: unknown): void
  close(): void
}

export function createPodPorts(): PodPorts {
  const server = new WebSocketServer({ noServer: true })
  return {
    accept(request, socket, head, body) {
      server.handleUpgrade(request, socket, head, (client) => {
        const port = Number(new URL(request.url ?? '/', 'http://api').searchParams.get('ports'))
        serve(client, port, JSON.stringify(body))
      })
    },
    close: () => server.close(),
  }
}

/** Both channels begin with the number of the port. The pod responds once it has the whole head of the request. */
function serve(client: WebSocket, port: number, body: string): void {
  for (const channel of [DATA, PROBLEM]) client.send(Buffer.from([channel, port & 0xff, port >> 8]))
  let received = ''
  client.on('message', (message: Buffer) => {
    if (message[0] !== DATA) return
    received += message.subarray(1).toString('latin1')
    if (!received.includes(END_OF_HEAD)) return
    const head = `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
    client.send(Buffer.concat([Buffer.from([DATA]), Buffer.from(head + body)]))
  })
}

/**
 * Sends single POSTs of distinct items in a closed loop over several connections. Uses plain sockets to keep the cost of the
 * client low.
 * Arguments: url, series, connections, items. Prints {"items", "seconds"}.
 */
import { connect } from 'node:net'
import { itemText } from './items.ts'

const [url = '', series = '', connections = '64', items = '20000'] = process.argv.slice(2)
const { hostname, port } = new URL(url)
const total = Number(items)
let sent = 0
let answered = 0

function requestText(): string {
  const body = itemText(series, sent++)
  return `POST /v1/collections/bench/items HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function run(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.on('connect', () => socket.write(requestText()))
    socket.on('data', (chunk: Buffer) => {
      // responses are small: one segment that ends with the body
      if (!chunk.toString('latin1', 0, 12).startsWith('HTTP/1.1 201')) return reject(new Error(chunk.toString()))
      answered++
      if (sent < total) socket.write(requestText())
      else socket.end(resolve)
    })
  })
}

const start = performance.now()
await Promise.all(Array.from({ length: Number(connections) }, run))
console.log(JSON.stringify({ items: answered, seconds: (performance.now() - start) / 1_000 }))

/**
 * Sends single POSTs at a fixed rate, regardless of the responses. Arrival n is due at n / rate, and its latency counts from
 * then, even if the client itself or a free connection was late (no coordinated omission). Uses plain sockets to keep the
 * cost of the client low. Every third item is a repetition of one from a second earlier.
 * Arguments: url, series, arrivals per second, measured seconds. WARM_SECONDS before them are not measured.
 * Prints {"p50", "p99", "p999", "max", "sentLate50", "sentLate99" (milliseconds), "answered", "failed"}.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { itemText } from './items.ts'

const WARM_SECONDS = 3
const MAX_SOCKETS = 1_000
/** Responses that arrive later count as failed. */
const PATIENCE_MS = 10_000

const [url = '', series = '', perSecond = '500', seconds = '10'] = process.argv.slice(2)
const { hostname, port } = new URL(url)
const rate = Number(perSecond)
const total = Math.round(rate * (WARM_SECONDS + Number(seconds)))
const firstCounted = rate * WARM_SECONDS

const latencies: number[] = []
const lateness: number[] = []
let ended = 0
let failed = 0
let sockets = 0
const allEnded = Promise.withResolvers<void>()
const idle: Connection[] = []
const waiting: Arrival[] = []

interface Arrival {
  readonly index: number
  readonly dueMs: number
}

interface Connection {
  readonly socket: Socket
  arrival: Arrival | undefined
  text: string
}

function requestText(index: number): string {
  const body = itemText(series, index % 3 === 2 && index > rate ? index - rate : index)
  return `POST /v1/collections/bench/items HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function send(connection: Connection, arrival: Arrival): void {
  connection.arrival = arrival
  connection.text = ''
  if (arrival.index >= firstCounted) lateness.push(performance.now() - arrival.dueMs)
  connection.socket.write(requestText(arrival.index))
}

function settle({ index, dueMs }: Arrival, ok: boolean): void {
  ended++
  if (!ok) failed++
  if (ended === total) allEnded.resolve()
  if (index >= firstCounted) latencies.push(performance.now() - dueMs)
}

/** Returns true if the response in `text` is complete. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
  return text.length >= end + 4 + length
}

function take(connection: Connection, chunk: string): void {
  connection.text += chunk
  const { arrival, text } = connection
  if (arrival === undefined || !isWhole(text)) return
  settle(arrival, /^HTTP\/1.1 20[01] /.test(text))
  connection.arrival = undefined
  const next = waiting.shift()
  if (next === undefined) idle.push(connection)
  else send(connection, next)
}

function open(arrival: Arrival): void {
  sockets++
  const socket = connect({ port: Number(port), host: hostname, noDelay: true })
  const connection: Connection = { socket, arrival: undefined, text: '' }
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => take(connection, chunk))
  socket.on('error', () => {})
  socket.on('close', () => {
    sockets--
    const at = idle.indexOf(connection)
    if (at !== -1) idle.splice(at, 1)
    if (connection.arrival !== undefined) settle(connection.arrival, false)
  })
  send(connection, arrival)
}

function arrive(arrival: Arrival): void {
  const connection = idle.pop()
  if (connection !== undefined) send(connection, arrival)
  else if (sockets < MAX_SOCKETS) open(arrival)
  else waiting.push(arrival)
}

const start = performance.now() + 10
let next = 0
while (next < total) {
  const now = performance.now()
  for (; next < total && start + (next * 1_000) / rate <= now; next++)
    arrive({ index: next, dueMs: start + (next * 1_000) / rate })
  await sleep(1)
}
await Promise.race([allEnded.promise, sleep(PATIENCE_MS)])

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
// a request without a response took at least as long as the wait
for (let missing = total - ended; missing > 0; missing--) latencies.push(PATIENCE_MS)
console.log(
  JSON.stringify({
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    p999: percentile(latencies, 0.999),
    max: percentile(latencies, 1),
    sentLate50: percentile(lateness, 0.5),
    sentLate99: percentile(lateness, 0.99),
    answered: ended - failed,
    failed: failed + total - ended,
  }),
)
process.exit(0)

/**
 * A backend as one finds it: slow, no unique index, one process that trusts its callers. It saves what it is told to
 * save, as often as it is told, and writes every save to an audit log that nobody can rewrite.
 *
 *   node server.mjs [--listen 127.0.0.1:9090] [--latency 20] [--fencing on|off] [--data FOLDER]
 *
 *   GET  /items?collection=C&key=K   200 {"saved": milliseconds} or 404
 *   POST /items                      {"collection", "key", "media", "content" (base64)}: 201 {"saved": milliseconds}
 *   GET  /content?collection=C&key=K the content as it was saved first
 *   GET  /audit                      the log, a save a line, in the order in which they happened
 *   GET  /health                     200
 *
 * With `--fencing on` both calls may carry `Fencing-Token: N`. From then on a lower one for the same key is refused with
 * 412, looks included: a look promises its caller that no older holder's save comes after it.
 */
import { appendFileSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

function refuse(problem) {
  console.error(
    `${problem}\nusage: node server.mjs [--listen HOST:PORT] [--latency MS] [--fencing on|off] [--data FOLDER]`,
  )
  process.exit(2)
}

function settings() {
  try {
    return parseArgs({
      options: {
        listen: { type: 'string', default: '127.0.0.1:9090' },
        latency: { type: 'string', default: '20' },
        fencing: { type: 'string', default: 'on' },
        data: { type: 'string', default: './legacy-data' },
      },
    }).values
  } catch (failure) {
    return refuse(failure.message)
  }
}

const values = settings()
const [, host, port] = /^(\S+):(\d+)$/.exec(values.listen) ?? []
if (host === undefined || Number(port) > 65_535) refuse(`--listen is "${values.listen}", write host:port`)
if (!/^\d+$/.test(values.latency)) refuse(`--latency is "${values.latency}", write milliseconds`)
if (!['on', 'off'].includes(values.fencing)) refuse(`--fencing is "${values.fencing}", write on or off`)

try {
  mkdirSync(values.data, { recursive: true })
} catch (failure) {
  refuse(`there can be no folder at "${values.data}": ${failure.message}`)
}
const auditFile = join(values.data, 'audit.ndjson')
const highestFence = new Map()
const firstSaves = new Map()

const keyOf = (collection, key) => JSON.stringify([collection, key])

function remember(entry) {
  const key = keyOf(entry.collection, entry.key)
  if (entry.fence !== undefined) raiseFence(key, BigInt(entry.fence))
  if (entry.type === 'save' && !firstSaves.has(key)) firstSaves.set(key, entry)
}

function raiseFence(key, fence) {
  if (fence > (highestFence.get(key) ?? 0n)) highestFence.set(key, fence)
}

if (existsSync(auditFile)) {
  const text = readFileSync(auditFile, 'utf8')
  const end = text.lastIndexOf('\n') + 1
  for (const line of text.slice(0, end).split('\n')) if (line !== '') remember(JSON.parse(line))
  // a line that was cut short by a crash was never answered
  truncateSync(auditFile, Buffer.byteLength(text.slice(0, end)))
}
const audit = openSync(auditFile, 'a')

/** One line, on disk before the answer: looks with a fence too, for they too make a promise. */
function record(entry) {
  appendFileSync(audit, `${JSON.stringify(entry)}\n`)
  fsyncSync(audit)
  remember(entry)
}

/** The request's fence; undefined without one; 'stale' when a higher one was seen. */
function admit(request, key) {
  const token = request.headers['fencing-token']
  if (values.fencing !== 'on' || token === undefined) return undefined
  const fence = BigInt(token)
  return fence < (highestFence.get(key) ?? 0n) ? 'stale' : fence
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function readBody(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

async function find(request, response, query) {
  const collection = query.get('collection')
  const key = query.get('key')
  await sleep(Number(values.latency))
  const fence = admit(request, keyOf(collection, key))
  if (fence === 'stale') return answer(response, 412, { error: 'a later holder was here' })
  if (fence !== undefined) record({ type: 'look', collection, key, fence: String(fence), at: Date.now() })
  const first = firstSaves.get(keyOf(collection, key))
  return first === undefined ? answer(response, 404, {}) : answer(response, 200, { saved: first.at })
}

async function save(request, response) {
  const { collection, key, media, content } = await readBody(request)
  await sleep(Number(values.latency))
  const fence = admit(request, keyOf(collection, key))
  if (fence === 'stale') return answer(response, 412, { error: 'a later holder was here' })
  const entry = { type: 'save', collection, key, media, content, at: Date.now() }
  record(fence === undefined ? entry : { ...entry, fence: String(fence) })
  return answer(response, 201, { saved: entry.at })
}

function firstContent(response, query) {
  const first = firstSaves.get(keyOf(query.get('collection'), query.get('key')))
  if (first === undefined) return answer(response, 404, {})
  return response.writeHead(200, { 'content-type': first.media }).end(Buffer.from(first.content, 'base64'))
}

async function route(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://backend')
  if (pathname === '/items' && request.method === 'POST') return save(request, response)
  if (pathname === '/items') return find(request, response, searchParams)
  if (pathname === '/content') return firstContent(response, searchParams)
  if (pathname === '/audit') return response.writeHead(200).end(readFileSync(auditFile))
  return pathname === '/health' ? answer(response, 200, {}) : answer(response, 404, {})
}

const server = createServer((request, response) => {
  route(request, response).catch((failure) => answer(response, 400, { error: String(failure) }))
})
server.on('error', (failure) => refuse(`cannot listen on ${values.listen}: ${failure.message}`))
server.listen(Number(port), host, () => {
  const { address, port: actual } = server.address()
  console.log(`legacy backend on http://${address}:${actual}, ${values.latency} ms, fencing ${values.fencing}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.close(() => process.exit(0)))

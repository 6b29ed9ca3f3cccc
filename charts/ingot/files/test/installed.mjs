/**
 * What `helm test` runs, in the image of ingot: an item is saved, found again and recognised, and Redis has one master
 * (Redis Cluster: one for each slot). Prints a line for each finding; exits 1 at the first that is wrong.
 *
 * Environment: SERVICE_URL; TOKEN, unless everybody is let in; INGOT_LOCK_URL, unless there is no lock service.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const { SERVICE_URL, TOKEN, INGOT_LOCK_URL } = process.env
const COLLECTION = 'helm-test'
const SLOTS = 16_384
/** A release that has just been installed or changed may need this long until it is as it should be. */
const PATIENCE_MS = 60_000
const CALL_MS = 5_000

function expect(condition, sentence) {
  if (!condition) throw new Error(`not so: ${sentence}`)
  console.log(`ok: ${sentence}`)
}

async function call(method, path, body) {
  const headers = { 'content-type': 'application/json', ...(TOKEN ? { authorization: `Bearer ${TOKEN}` } : {}) }
  const signal = AbortSignal.timeout(CALL_MS)
  const answer = await fetch(`${SERVICE_URL}${path}`, { method, headers, body, signal })
  return { status: answer.status, text: await answer.text() }
}

async function checkItems() {
  const content = JSON.stringify({ test: `${Date.now()}-${Math.random()}` })
  const items = `/v1/collections/${COLLECTION}/items`
  const first = await call('POST', items, content)
  expect(first.status === 201, `a new item is created (${first.status})`)
  const { id } = JSON.parse(first.text)
  const second = await call('POST', items, content)
  expect(second.status === 200 && JSON.parse(second.text).id === id, `the same item is a duplicate (${second.status})`)
  const read = await call('GET', `${items}/${id}`)
  if (read.status === 501) console.log('skipped: the mapping of this store has no "get"')
  else expect(read.status === 200 && read.text === content, `the item reads back as it was sent (${read.status})`)
  const gone = await call('DELETE', `${items}/${id}`)
  console.log(gone.status === 204 ? 'ok: the item is deleted' : `left: the item stays (${gone.status})`)
}

const { Redis } = createRequire(`${process.cwd()}/package.json`)('ioredis')

function tlsOf({ tls }) {
  if (tls === undefined) return {}
  const file = (name) => (tls[name] === undefined ? {} : { [name]: readFileSync(tls[name]) })
  return {
    tls: { ...file('ca'), ...file('cert'), ...file('key'), ...(tls.servername && { servername: tls.servername }) },
  }
}

/** One command to one server, on a connection of its own. */
async function ask({ host, port }, { user, password }, topology, command) {
  const login = { ...(user && { username: user }), ...(password && { password }) }
  const options = { ...login, ...tlsOf(topology), connectTimeout: CALL_MS, commandTimeout: CALL_MS }
  const redis = new Redis({ host, port, ...options, lazyConnect: true, retryStrategy: null, enableReadyCheck: false })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return await redis.call(...command)
  } finally {
    redis.disconnect()
  }
}

const pairs = (list) => Object.fromEntries(list.flatMap((name, n) => (n % 2 === 0 ? [[name, list[n + 1]]] : [])))

async function mastersBySentinel(topology) {
  const { sentinels, master, sentinelCredentials } = topology
  const views = await Promise.all(
    sentinels.map((one) => ask(one, sentinelCredentials, topology, ['SENTINEL', 'get-master-addr-by-name', master])),
  )
  const named = new Set(views.map((view) => String(view)))
  expect(named.size === 1, `${sentinels.length} Sentinels name one master: ${[...named].join(' | ')}`)
  const replicas = await ask(sentinels[0], sentinelCredentials, topology, ['SENTINEL', 'replicas', master])
  const nodes = [views[0], ...replicas.map(pairs).map(({ ip, port }) => [ip, port])]
  return mastersAmong(nodes, topology)
}

async function mastersAmong(nodes, topology) {
  const roles = await Promise.all(
    nodes.map(([host, port]) => ask({ host, port: Number(port) }, topology.credentials, topology, ['ROLE'])),
  )
  return roles.filter(([role]) => role === 'master').length
}

async function checkCluster(topology) {
  for (const node of topology.seeds) {
    const ranges = await ask(node, topology.credentials, topology, ['CLUSTER', 'SLOTS'])
    const covered = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
    expect(covered === SLOTS, `${node.host} knows one master for each of ${SLOTS} slots (${covered})`)
  }
}

async function checkRedis() {
  if (!INGOT_LOCK_URL) return console.log('skipped: there is no lock service')
  const { parseRedisUrl } = await import(pathToFileURL(`${process.cwd()}/dist/redis/redis-url.js`).href)
  const topology = parseRedisUrl(INGOT_LOCK_URL)
  if (topology.kind === 'cluster') return checkCluster(topology)
  if (topology.kind === 'independent') return console.log('skipped: each of the independent servers is a master')
  const masters =
    topology.kind === 'sentinel'
      ? await mastersBySentinel(topology)
      : await mastersAmong([[topology.endpoint.host, topology.endpoint.port]], topology)
  expect(masters === 1, `Redis has one master (${masters})`)
}

async function patiently(check) {
  const end = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await check()
    } catch (failure) {
      if (Date.now() > end) throw failure
      console.log(`again: ${failure.message}`)
      await sleep(2_000)
    }
  }
}

try {
  await patiently(checkItems)
  await patiently(checkRedis)
} catch (failure) {
  console.error(String(failure))
  process.exitCode = 1
}

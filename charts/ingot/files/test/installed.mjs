/**
 * The program of `helm test`, run in the image of ingot. Saves an item, sends it again, reads it back, and checks that
 * Redis has one primary (Redis Cluster: one for each slot). Prints a line for each check. Repeats failed checks for a
 * minute, then exits with 1.
 *
 * Environment: SERVICE_URL; TOKEN, unless access.mode is off; INGOT_LOCK_URL, unless there is no lock service.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const { SERVICE_URL, TOKEN, INGOT_LOCK_URL } = process.env
const COLLECTION = 'helm-test'
const SLOTS = 16_384
/** Time in which a release becomes healthy after an installation or a change. */
const DEADLINE_MS = 60_000
const CALL_MS = 5_000

function expect(condition, sentence) {
  if (!condition) throw new Error(`failed: ${sentence}`)
  console.log(`ok: ${sentence}`)
}

async function call(method, path, body) {
  const headers = { 'content-type': 'application/json', ...(TOKEN ? { authorization: `Bearer ${TOKEN}` } : {}) }
  const signal = AbortSignal.timeout(CALL_MS)
  const response = await fetch(`${SERVICE_URL}${path}`, { method, headers, body, signal })
  return { status: response.status, text: await response.text() }
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
  else expect(read.status === 200 && read.text === content, `the item is read back unchanged (${read.status})`)
  const deleted = await call('DELETE', `${items}/${id}`)
  console.log(deleted.status === 204 ? 'ok: the item is deleted' : `not deleted: the item stays (${deleted.status})`)
}

const { Redis } = createRequire(`${process.cwd()}/package.json`)('ioredis')

function tlsOf({ tls }) {
  if (tls === undefined) return {}
  const file = (name) => (tls[name] === undefined ? {} : { [name]: readFileSync(tls[name]) })
  return {
    tls: { ...file('ca'), ...file('cert'), ...file('key'), ...(tls.servername && { servername: tls.servername }) },
  }
}

/** Sends one command to one server, on a new connection, and returns the reply. */
async function query({ host, port }, { user, password }, topology, command) {
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

async function countPrimariesBySentinel(topology) {
  const { sentinels, master, sentinelCredentials } = topology
  const views = await Promise.all(
    sentinels.map((one) => query(one, sentinelCredentials, topology, ['SENTINEL', 'get-master-addr-by-name', master])),
  )
  const named = new Set(views.map((view) => String(view)))
  expect(named.size === 1, `${sentinels.length} Sentinels name one primary: ${[...named].join(' | ')}`)
  const replicas = await query(sentinels[0], sentinelCredentials, topology, ['SENTINEL', 'replicas', master])
  const nodes = [views[0], ...replicas.map(pairs).map(({ ip, port }) => [ip, port])]
  return countPrimaries(nodes, topology)
}

async function countPrimaries(nodes, topology) {
  const roles = await Promise.all(
    nodes.map(([host, port]) => query({ host, port: Number(port) }, topology.credentials, topology, ['ROLE'])),
  )
  return roles.filter(([role]) => role === 'master').length
}

async function checkCluster(topology) {
  for (const node of topology.seeds) {
    const ranges = await query(node, topology.credentials, topology, ['CLUSTER', 'SLOTS'])
    const covered = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
    expect(covered === SLOTS, `${node.host} knows one primary for each of ${SLOTS} slots (${covered})`)
  }
}

async function checkRedis() {
  if (!INGOT_LOCK_URL) return console.log('skipped: there is no lock service')
  const { parseRedisUrl } = await import(pathToFileURL(`${process.cwd()}/dist/redis/redis-url.js`).href)
  if (!/^(redis|redlock)/.test(INGOT_LOCK_URL)) return console.log('skipped: the lock service is no Redis')
  const topology = parseRedisUrl(INGOT_LOCK_URL)
  if (topology.kind === 'cluster') return checkCluster(topology)
  if (topology.kind === 'independent') return console.log('skipped: each of the independent servers is a primary')
  const primaries =
    topology.kind === 'sentinel'
      ? await countPrimariesBySentinel(topology)
      : await countPrimaries([[topology.endpoint.host, topology.endpoint.port]], topology)
  expect(primaries === 1, `Redis has one primary (${primaries})`)
}

async function retry(check) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > end) throw error
      console.log(`again: ${error.message}`)
      await sleep(2_000)
    }
  }
}

try {
  await retry(checkItems)
  await retry(checkRedis)
} catch (error) {
  console.error(String(error))
  process.exitCode = 1
}

/** The report of `status` on one screen. Pure. */
import { type Cell, cell, type Paint, type Tone, table } from '../paint.ts'
import type { LastFailover, Redis, RedisServer, Sentinels, Service, ServicePod, StatusReport, Store } from './report.ts'

/** Width of the headings on the left. */
const INDENT = 12

export function statusText(report: StatusReport, paint: Paint): string {
  const { redis, service, store, problems, notRead, operator } = report
  const heading = (title: string, text: string): string => `${paint(title.padEnd(INDENT), 'bold')}${text}`
  const health = report.healthy ? paint('healthy', 'good') : paint('degraded', 'bad')
  const lines = [
    heading('Release', `${paint(`${report.namespace}/${report.release}`)}  ${paint(report.chart, 'dim')}  ${health}`),
    heading('Service', paint(serviceLine(service), service.ready < service.wanted ? 'bad' : 'plain')),
    ...table(serviceRows(service), paint, INDENT),
    heading('Store', paint(storeLine(store))),
    ...(redis === undefined ? [heading('Redis', 'outside the release')] : redisLines(redis, paint, heading)),
    heading('Operator', paint(operatorLine(operator), operator.state === 'stale' ? 'bad' : 'plain')),
    ...list('Problems', problems, heading, (text) => paint(text, 'bad')),
    ...list(
      'Not read',
      notRead.map(({ part, why }) => `${part}: ${why}`),
      heading,
      (text) => paint(text, 'dim'),
    ),
  ]
  return `${lines.join('\n')}\n`
}

type Heading = (title: string, text: string) => string

function list(
  title: string,
  texts: readonly string[],
  heading: Heading,
  show: (text: string) => string,
): readonly string[] {
  return texts.map((text, index) => heading(index === 0 ? title : '', show(text)))
}

function serviceLine({ ready, wanted }: Service): string {
  return `${ready} of ${wanted} pods ready`
}

const head = (...titles: readonly string[]): readonly Cell[] => titles.map((title) => cell(title, 'dim'))
const yesNo = (is: boolean): Cell => cell(is ? 'yes' : 'no', is ? 'plain' : 'bad')

function serviceRows({ pods }: Service): readonly (readonly Cell[])[] {
  return pods.length === 0
    ? []
    : [head('POD', 'READY', 'STATE', 'VERSION', 'BREAKER', 'PENDING', 'LOCKS', 'RESTARTS'), ...pods.map(servicePod)]
}

function servicePod(one: ServicePod): readonly Cell[] {
  const { pod, ready, state, storeAvailable, version, breaker, pendingItems, restarts } = one
  const tone: Tone = breaker === 'open' || breaker === 'half-open' ? 'bad' : 'plain'
  return [
    cell(pod),
    yesNo(ready),
    storeAvailable === false ? cell('store away', 'bad') : cell(state ?? '?'),
    cell(version),
    cell(breaker ?? '?', tone),
    cell(pendingItems === undefined ? '?' : String(pendingItems)),
    cell(locksOf(one)),
    cell(String(restarts)),
  ]
}

function locksOf({ state, locksHeld, locksWaiting }: ServicePod): string {
  if (locksHeld === undefined) return state === undefined ? '?' : 'none'
  return `${locksHeld} held, ${locksWaiting ?? 0} wait`
}

const STORES: Readonly<Record<Store['kind'], string>> = {
  postgres: 'Postgres of the release',
  'external-postgres': 'Postgres outside the release, by a Secret',
  http: 'HTTP API',
  sqlite: 'SQLite in the pod',
  unknown: 'unknown',
}

function storeLine({ kind, address, ready }: Store): string {
  const state = ready === undefined ? '' : ready ? ', ready' : ', not ready'
  return `${STORES[kind]}${address === undefined ? '' : ` (${address})`}${state}`
}

function redisLines(redis: Redis, paint: Paint, heading: Heading): readonly string[] {
  const { mode, primaries, servers, sentinels, slots, lastFailover, source } = redis
  const names = primaries.map(({ pod, since }) => `${pod}${since === undefined ? '' : ` since ${since}`}`)
  const several = mode === 'cluster' ? `${primaries.length} primaries` : `primary ${names.join(', ')}`
  const primary = primaries.length === 0 ? 'primary unknown' : several
  const isOdd = source !== 'none' && (primaries.length === 0 || (mode !== 'cluster' && primaries.length > 1))
  return [
    heading('Redis', paint(`${mode}, ${primary}`, isOdd ? 'bad' : 'plain')),
    ...table(serverRows(redis, servers), paint, INDENT),
    ...(sentinels === undefined ? [] : [heading('Sentinels', paint(sentinelLine(sentinels), sentinelTone(sentinels)))]),
    ...(slots === undefined
      ? []
      : [heading('Slots', paint(`${slots.served} of ${slots.total}`, slots.served < slots.total ? 'bad' : 'plain'))]),
    ...(lastFailover === undefined ? [] : [heading('Failover', paint(failoverLine(lastFailover)))]),
  ]
}

function serverRows({ mode, source, primaries }: Redis, servers: readonly RedisServer[]): readonly (readonly Cell[])[] {
  if (servers.length === 0) return []
  const slots = mode === 'cluster'
  const isReported = source === 'RedisTopology'
  const titles = [
    'POD',
    'ROLE',
    'READY',
    ...(isReported ? ['LINKED', 'LAG', ...(slots ? ['SHARD', 'SLOTS'] : [])] : []),
  ]
  const rows = servers.map((server) => [
    cell(server.pod),
    cell(server.role, server.role === 'unknown' && isReported ? 'bad' : 'plain'),
    yesNo(server.ready),
    ...(isReported ? [...linkOf(server), ...(slots ? shardOf(server, primaries) : [])] : []),
  ])
  return [head(...titles), ...rows]
}

function shardOf({ pod, slots }: RedisServer, primaries: Redis['primaries']): readonly Cell[] {
  const shard = primaries.find((primary) => primary.pod === pod)?.shard
  return [cell(shard === undefined ? '-' : String(shard)), cell(slots === undefined ? '?' : String(slots))]
}

function linkOf({ linked, lagBytes, role }: RedisServer): readonly Cell[] {
  if (role !== 'replica') return [cell('-'), cell('-')]
  return [yesNo(linked === true), cell(lagBytes === undefined ? '?' : `${lagBytes} B`)]
}

function sentinelLine({ wanted, ready, quorum, agreed, reachable, known, canFailOver }: Sentinels): string {
  const seen =
    reachable === undefined
      ? `${ready} of ${wanted} pods ready`
      : `${agreed ?? '?'} agree, ${reachable} of ${wanted} reachable, ${known ?? '?'} known`
  const able = canFailOver === undefined ? '' : canFailOver ? ', failover possible' : ', no failover possible'
  return `${seen}${quorum === undefined ? '' : `, quorum ${quorum}`}${able}`
}

function sentinelTone({ wanted, ready, agreed = wanted, reachable = wanted, canFailOver }: Sentinels): Tone {
  return ready < wanted || agreed < reachable || reachable < wanted || canFailOver === false ? 'bad' : 'plain'
}

function failoverLine({ at, from, to, planned, writeGapMs, reason }: LastFailover): string {
  const gap = writeGapMs === undefined ? '' : `, ${writeGapMs} ms without a writable primary`
  return `${at}, from ${from} to ${to}, ${planned ? 'planned' : 'not planned'}${gap} (${reason})`
}

function operatorLine({ state, namespace, holder, note }: StatusReport['operator']): string {
  const who = { leading: `${holder} in ${namespace}`, stale: `the Lease in ${namespace} is not renewed` }
  const said = state === 'leading' || state === 'stale' ? who[state] : state
  return note === undefined ? said : `${said}; ${note}`
}

/** Responses of the gates. Pure, over a view of the caches. */
import { type Decision, decideGate, type GatedSchedule, gateQuery } from './decide.ts'

/** A view of the DrillSchedules of this process. */
export interface GateSource {
  /** Returns `unsynced` before the caches are filled. */
  find(namespace: string, name: string): GatedSchedule | 'unsynced' | 'unknown'
}

export interface GateRequest {
  readonly method: string
  /** With its query. */
  readonly url: string
}

export interface GateResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

/** Name of a namespace or of an object, by Kubernetes. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const FORM = 'GET or POST /gates/NAMESPACE/SCHEDULE?maxAge=24h'

/**
 * Returns 200 if a drill of the schedule passed within maxAge, 403 if not, 404 for an unknown path or schedule, 405 for
 * another method, 400 for a wrong maxAge, 503 before the caches are filled.
 */
export function handleGate({ method, url }: GateRequest, source: GateSource, nowMs: number): GateResponse {
  const target = targetOf(url)
  if (target === undefined) return refusal(404, 'NoSuchPath', `there is ${FORM}`)
  if (method !== 'GET' && method !== 'POST') {
    const refused = refusal(405, 'WrongMethod', `the method ${method} is not served, there is ${FORM}`)
    return { ...refused, headers: { allow: 'GET, POST' } }
  }
  const { namespace, name, query } = target
  const asked = gateQuery(query)
  if ('wrong' in asked) return refusal(400, 'WrongQuery', asked.wrong)
  const schedule = source.find(namespace, name)
  if (schedule === 'unsynced') {
    return {
      ...refusal(503, 'NotSynced', 'the cache of the operator is not filled yet'),
      headers: { 'retry-after': '5' },
    }
  }
  if (schedule === 'unknown') {
    return refusal(404, 'NoSuchSchedule', `there is no DrillSchedule "${name}" in namespace ${namespace}`)
  }
  const maxAgeMs = asked.maxAgeMs ?? schedule.freshnessMs
  const decision = decideGate(schedule, maxAgeMs, nowMs)
  return decided(decision, schedule, { namespace, name, maxAgeMs })
}

interface Asked {
  readonly namespace: string
  readonly name: string
  readonly maxAgeMs: number
}

function decided(decision: Decision, schedule: GatedSchedule, { namespace, name, maxAgeMs }: Asked): GateResponse {
  const { lastPassed, lastVerdict, lastDrill, next, active, release } = schedule
  const facts = { lastPassed, lastVerdict, lastDrill, next, active }
  const help = decision.passed ? {} : { todo: todoOf(schedule, namespace) }
  const body = {
    ...decision,
    schedule: `${namespace}/${name}`,
    release,
    maxAgeSeconds: maxAgeMs / 1_000,
    ...facts,
    ...help,
  }
  return { status: decision.passed ? 200 : 403, headers: {}, body }
}

/** Returns commands that show why the gate is closed, and how to open it. */
function todoOf({ active, lastDrill, lastVerdict, next }: GatedSchedule, namespace: string): readonly string[] {
  const inNamespace = `-n ${namespace}`
  return [
    ...(lastDrill !== undefined && lastVerdict !== undefined && lastVerdict !== 'Pass'
      ? [`kubectl ingot drill report ${lastDrill} ${inNamespace}`]
      : []),
    active === undefined
      ? `kubectl ingot drill run FILE ${inNamespace}`
      : `kubectl ingot drill watch ${active} ${inNamespace}`,
    ...(next === undefined ? [] : [`the next drill of the schedule starts at ${next}`]),
  ]
}

interface Target {
  readonly namespace: string
  readonly name: string
  readonly query: URLSearchParams
}

function targetOf(url: string): Target | undefined {
  const parsed = URL.parse(url, 'http://gate')
  if (parsed === null) return undefined
  const [, root, namespace = '', name = '', ...more] = parsed.pathname.split('/')
  if (root !== 'gates' || more.length > 0 || !NAME.test(namespace) || !NAME.test(name)) return undefined
  return { namespace, name, query: parsed.searchParams }
}

/** Returns a response that decides nothing, in the form of a decision. */
export function refusal(status: number, reason: string, message: string): GateResponse {
  return { status, headers: {}, body: { passed: false, reason, message } }
}

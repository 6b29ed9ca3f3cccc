/**
 * Reads the test cases of Redis topology decisions (src/redis/topology/cases), and runs them with the chart's shell code
 * and with the TypeScript planners.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../drill/checkout.ts'
import { type ClusterReport, planMove, planPrimaries, planReplicas } from '../redis/topology/cluster-plans.ts'
import {
  electPrimary,
  isTrustedPrimary,
  type PrimaryStatus,
  type SentinelReport,
  type ServerReport,
  sentinelToReset,
} from '../redis/topology/sentinel-plans.ts'

/** One line for each server that responded, in the format of the shell function. */
export type Snapshot = readonly string[]
export type PlanEnvironment = Readonly<Record<string, string>>

export interface TopologyCase {
  readonly name: string
  readonly environment: PlanEnvironment
  readonly snapshot: Snapshot
  readonly expected: readonly string[]
}

export interface CaseFile {
  /** Function of topology.sh that makes the decision. */
  readonly shell: PlanName
  readonly cases: readonly TopologyCase[]
}

const CASES = join(ROOT, 'src', 'redis', 'topology', 'cases')
const TOPOLOGY = join(ROOT, 'charts', 'ingot', 'files', 'redis', 'topology.sh')

/** Returns all files of cases, sorted by name. */
export function readCaseFiles(): readonly CaseFile[] {
  return readdirSync(CASES)
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(CASES, name), 'utf8')) as CaseFile)
}

/** Returns the lines that the shell function prints for the snapshot. `source` replaces topology.sh. Throws its errors. */
export function planInShell(
  name: string,
  snapshot: Snapshot,
  environment: PlanEnvironment,
  source = `. ${TOPOLOGY}`,
): readonly string[] {
  const input = snapshot.map((line) => `${line}\n`).join('')
  const env = { PATH: process.env['PATH'], ...environment }
  const { status, stdout, stderr } = spawnSync('sh', ['-euc', `${source}\n${name}`], { input, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout.split('\n').filter((line) => line !== '')
}

const fields = (line: string): readonly string[] => line.split(/ /)
const numberOf = (text: string | undefined): number => Number(text ?? 0)

function serverReport(line: string): ServerReport {
  const [host = '', role, primaryHost = '', primaryPort, keys] = fields(line)
  return {
    host,
    role: role === 'master' ? 'primary' : 'replica',
    primaryHost,
    primaryPort: numberOf(primaryPort),
    keys: numberOf(keys),
  }
}

function primaryStatus(line: string): PrimaryStatus {
  const [primary = '', flags = '', okPingMs] = fields(line)
  return { primary, flags, okPingMs: numberOf(okPingMs) }
}

function sentinelReport(line: string): SentinelReport {
  const [host = '', primary = '', flags = '', sentinels, replicas, departed, departing, quorum] = fields(line)
  return {
    host,
    primary,
    flags,
    sentinels: numberOf(sentinels),
    replicas: numberOf(replicas),
    departed: numberOf(departed),
    departing: numberOf(departing),
    hasQuorum: quorum === 'yes',
  }
}

function clusterReport(line: string): ClusterReport {
  const [host = '', machine = '', id = '', primary = '-', slots, keys, known] = fields(line)
  return {
    host,
    machine,
    id,
    ...(primary === '-' ? {} : { primaryId: primary }),
    slots: numberOf(slots),
    keys: numberOf(keys),
    known: numberOf(known),
  }
}

const lines = (decision: string | undefined): readonly string[] => (decision === undefined ? [] : [decision])

const PLANNERS = {
  elect_primary: (snapshot: Snapshot, env: PlanEnvironment) =>
    lines(electPrimary(snapshot.map(serverReport), specOf(env))),
  trust_primary: (snapshot: Snapshot, env: PlanEnvironment) =>
    isTrustedPrimary(snapshot.map(primaryStatus), env['SELF'] ?? '', numberOf(env['SENTINEL_COUNT'])) ? ['yes'] : [],
  plan_reset: (snapshot: Snapshot, env: PlanEnvironment) =>
    lines(sentinelToReset(snapshot.map(sentinelReport), specOf(env))),
  plan_primaries: (snapshot: Snapshot, env: PlanEnvironment) =>
    planPrimaries(snapshot.map(clusterReport), numberOf(env['REDIS_COUNT']), numberOf(env['CLUSTER_MASTERS'])),
  plan_replicas: (snapshot: Snapshot, env: PlanEnvironment) =>
    planReplicas(snapshot.map(clusterReport), numberOf(env['REDIS_COUNT'])).map(
      ({ host, primaryId }) => `${host} ${primaryId}`,
    ),
  plan_move: (snapshot: Snapshot, env: PlanEnvironment) =>
    lines(planMove(snapshot.map(clusterReport), numberOf(env['REDIS_COUNT']))),
}

export type PlanName = keyof typeof PLANNERS

function specOf(env: PlanEnvironment) {
  return {
    servers: numberOf(env['REDIS_COUNT']),
    sentinels: numberOf(env['SENTINEL_COUNT']),
    set: env['REDIS_SET'] ?? '',
    domain: env['REDIS_DOMAIN'] ?? '',
  }
}

/** Returns the same lines as `planInShell`, decided by the TypeScript planners. */
export function planInTypeScript(name: PlanName, snapshot: Snapshot, environment: PlanEnvironment): readonly string[] {
  return PLANNERS[name](snapshot, environment)
}

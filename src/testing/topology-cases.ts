/**
 * The test cases of Redis topology decisions (src/redis/topology/cases), and both ways to judge them: by the chart's shell
 * code and by the TypeScript planners.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ClusterReport, planMove, planPrimaries, planReplicas } from '../redis/topology/cluster-plans.ts'
import {
  electPrimary,
  isTrustedPrimary,
  type PrimaryView,
  type SentinelView,
  type ServerReport,
  sentinelToReset,
} from '../redis/topology/sentinel-plans.ts'
import { ROOT } from '../std/checkout.ts'

/** One line for each server that answered, in the format of the shell function. */
export type Census = readonly string[]
export type PlanEnvironment = Readonly<Record<string, string>>

export interface TopologyCase {
  readonly name: string
  readonly environment: PlanEnvironment
  readonly census: Census
  readonly expected: readonly string[]
}

export interface CaseFile {
  /** The function of plans.sh that decides. */
  readonly shell: PlanName
  readonly cases: readonly TopologyCase[]
}

const CASES = join(ROOT, 'src', 'redis', 'topology', 'cases')
const PLANS = join(ROOT, 'charts', 'ingot', 'files', 'redis', 'plans.sh')

export function readCaseFiles(): readonly CaseFile[] {
  return readdirSync(CASES)
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(CASES, name), 'utf8')) as CaseFile)
}

/** Returns the lines that the shell function prints for the census. `source` replaces plans.sh. */
export function planInShell(
  name: string,
  census: Census,
  environment: PlanEnvironment,
  source = `. ${PLANS}`,
): readonly string[] {
  const input = census.map((line) => `${line}\n`).join('')
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

function primaryView(line: string): PrimaryView {
  const [primary = '', flags = '', okPingMs] = fields(line)
  return { primary, flags, okPingMs: numberOf(okPingMs) }
}

function sentinelView(line: string): SentinelView {
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

const lines = (answer: string | undefined): readonly string[] => (answer === undefined ? [] : [answer])

const PLANNERS = {
  elect: (census: Census, env: PlanEnvironment) => lines(electPrimary(census.map(serverReport), specOf(env))),
  trusted: (census: Census, env: PlanEnvironment) =>
    isTrustedPrimary(census.map(primaryView), env['SELF'] ?? '', numberOf(env['SENTINEL_COUNT'])) ? ['yes'] : [],
  plan_forget: (census: Census, env: PlanEnvironment) => lines(sentinelToReset(census.map(sentinelView), specOf(env))),
  plan_masters: (census: Census, env: PlanEnvironment) =>
    planPrimaries(census.map(clusterReport), numberOf(env['REDIS_COUNT']), numberOf(env['CLUSTER_MASTERS'])),
  plan_replicas: (census: Census, env: PlanEnvironment) =>
    planReplicas(census.map(clusterReport), numberOf(env['REDIS_COUNT'])).map(
      ({ host, primaryId }) => `${host} ${primaryId}`,
    ),
  plan_move: (census: Census, env: PlanEnvironment) =>
    lines(planMove(census.map(clusterReport), numberOf(env['REDIS_COUNT']))),
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
export function planInTypeScript(name: PlanName, census: Census, environment: PlanEnvironment): readonly string[] {
  return PLANNERS[name](census, environment)
}

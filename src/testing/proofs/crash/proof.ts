/**
 * Crash proof: the real service accepts items from many clients and is killed at random moments. After every restart,
 * and again at the end, every acknowledged item must be stored exactly once with its bytes.
 *
 * A round starts the service on the same folder and checks the promises of the previous round: acknowledged items are
 * listed, a sample is read back, and requests with Idempotency-Keys are repeated. Then it starts the clients and ends
 * the service in one of three ways:
 * - traffic: SIGKILL while requests are in progress. This is the most frequent one.
 * - draining: SIGTERM, and SIGKILL while it drains.
 * - starting: SIGKILL in traffic, then a start, and SIGKILL during the start.
 *
 * At the end the proof sends every content again, twice. The first pass must not create an acknowledged content, and
 * the second pass must create none. Then it reads every item back, and counts the rows of the file.
 */
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FailpointName } from '../../../std/failpoint.ts'
import { createRandom, type Random } from '../../../std/random.ts'
import { type Service, spawnService, startService } from '../../service.ts'
import { type Api, auditAccounts, auditFile, createListing, type Listing, readBack, sampleOf } from './audit.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { enter, isAccepted, send } from './requests.ts'
import { createTrafficState, type Keyed, startTraffic, type TrafficState } from './traffic.ts'

/** Settings of a crash proof. */
export interface CrashProofOptions {
  /** An empty folder for the store. It is left as the service left it. */
  readonly data: string
  readonly rounds: number
  readonly seed: number
  readonly failpoints?: readonly FailpointName[]
  /** Longest traffic of a round, in milliseconds. Default: 400. */
  readonly trafficMs?: number
  /** Called after each round. */
  readonly onRound?: (line: string) => void
}

/** Result of a crash proof. */
export interface CrashVerdict {
  readonly kind: 'pass' | 'fail' | 'inconclusive'
  readonly violations: readonly string[]
  readonly figures: CrashFigures
}

/** Counts of a crash proof. */
export interface CrashFigures {
  readonly rounds: number
  /** Kills with requests in progress, after an acknowledgement in the same round. */
  readonly killsInTraffic: number
  readonly requests: number
  readonly acknowledgements: number
  /** Number of distinct acknowledged contents. */
  readonly acknowledged: number
  /** Number of distinct contents without any response. */
  readonly unknown: number
  readonly replays: number
  readonly readBack: number
  readonly rows: number
  readonly seconds: number
}

/** Runs until all rounds are done or a violation is found. */
export async function runCrashProof(options: CrashProofOptions): Promise<CrashVerdict> {
  const begin = performance.now()
  const run = createRun(options)
  for (let round = 1; round <= options.rounds && run.ledger.violations.length === 0; round++) await runRound(run, round)
  const unknown = run.ledger.accounts.filter((account) => account.id === undefined).length
  if (run.ledger.violations.length === 0) await settle(run)
  const { violations, acknowledgements, accounts } = run.ledger
  const figures: CrashFigures = {
    ...run.figures,
    requests: run.shared.requests,
    acknowledgements,
    acknowledged: accounts.filter((account) => account.id !== undefined).length,
    unknown,
    seconds: Math.round((performance.now() - begin) / 100) / 10,
  }
  return { kind: kindOf(violations, figures), violations, figures }
}

function kindOf(violations: readonly string[], figures: CrashFigures): CrashVerdict['kind'] {
  if (violations.length > 0) return 'fail'
  return figures.killsInTraffic === 0 || figures.acknowledged === 0 ? 'inconclusive' : 'pass'
}

interface Run {
  readonly options: CrashProofOptions
  readonly random: Random
  readonly ledger: Ledger
  readonly shared: TrafficState
  readonly listing: Listing
  readonly figures: { rounds: number; killsInTraffic: number; replays: number; readBack: number; rows: number }
  /** Number of keyed requests whose responses were already checked for repetition. */
  replayedUpTo: number
}

function createRun(options: CrashProofOptions): Run {
  const ledger = createLedger()
  return {
    options,
    random: createRandom(options.seed),
    ledger,
    shared: createTrafficState(ledger),
    listing: createListing(ledger),
    figures: { rounds: 0, killsInTraffic: 0, replays: 0, readBack: 0, rows: 0 },
    replayedUpTo: 0,
  }
}

/** Runs `work` with a service, and then kills the service. */
async function withService(run: Run, work: (service: Service, api: Api) => Promise<void>): Promise<void> {
  const { data, failpoints = [] } = run.options
  await using service = await startService({ data, failpoints })
  const agent = new Agent({ keepAlive: true })
  try {
    await work(service, { url: service.url, agent })
  } finally {
    agent.destroy()
  }
}

async function runRound(run: Run, round: number): Promise<void> {
  const { ledger, random, shared } = run
  await withService(run, async (service, api) => {
    await checkPromises(run, api)
    if (ledger.violations.length > 0) return
    ledger.beginRound(round)
    const before = ledger.acknowledgements
    const traffic = startTraffic(service.url, shared, random)
    await sleep(random.between(20, run.options.trafficMs ?? 400))
    const ending = random.pick(['traffic', 'traffic', 'traffic', 'draining', 'starting'] as const)
    traffic.expectEnd()
    if (ending === 'draining') {
      process.kill(service.pid, 'SIGTERM')
      await sleep(random.between(0, 60))
    }
    if (traffic.openRequests() > 0 && ledger.acknowledgements > before) run.figures.killsInTraffic++
    const { signal } = await service.kill()
    if (signal !== 'SIGKILL' && ending !== 'draining')
      ledger.violate(`the service ended by itself: ${service.stderr()}`)
    await traffic.ended
    if (ending === 'starting') await killWhileStarting(run)
    run.figures.rounds++
    const acked = ledger.acknowledgements - before
    run.options.onRound?.(`round ${round}: ${acked} acknowledgements, then killed (${ending})`)
  })
}

async function killWhileStarting({ options, random }: Run): Promise<void> {
  await using starting = spawnService({ data: options.data, failpoints: options.failpoints ?? [] })
  await sleep(random.between(100, 700))
  await starting.kill()
}

/**
 * Checks the promises after a restart: items acknowledged in the previous round are stored, and Idempotency-Keys return
 * the same responses.
 */
async function checkPromises(run: Run, api: Api): Promise<void> {
  const { ledger, listing, random } = run
  const fresh = ledger.fresh()
  await auditAccounts(api, ledger, listing, fresh)
  run.figures.readBack += await readBack(api, ledger, sampleOf(fresh, 30, random))
  for (const keyed of run.shared.keyed.slice(run.replayedUpTo)) await replay(run, keyed, api)
  run.replayedUpTo = run.shared.keyed.length
}

async function replay(run: Run, keyed: Keyed, { url, agent }: Api): Promise<void> {
  const { ledger } = run
  const { planned, response: first } = keyed
  const sentAt = ledger.tick()
  const response = await send(url, planned, agent)
  const now = { status: response.status, body: response.body.toString() }
  const show = ({ status, body }: { status: number; body: string }): string => `${status} ${body.slice(0, 300)}`
  if (!isAccepted(response)) return ledger.violate(`${planned.idempotencyKey} sent again: ${show(now)}`)
  enter(ledger, planned, sentAt, response)
  keyed.response = now
  // without a first response, the request may or may not have been new
  if (first === undefined) return
  run.figures.replays++
  if (response.headers['idempotency-replayed'] !== 'true' || first.status !== now.status || first.body !== now.body) {
    ledger.violate(`${planned.idempotencyKey} returned ${show(first)}, and after the crash ${show(now)}`)
  }
}

/** Sends every content again, reads every item back, and counts the rows of the file. */
async function settle(run: Run): Promise<void> {
  const { ledger } = run
  await withService(run, async (_service, api) => {
    await checkPromises(run, api)
    ledger.beginRound(run.options.rounds + 1)
    for (const keyed of run.shared.keyed) await replay(run, keyed, api)
    await sendAllAgain(run, api)
    await sendAllAgain(run, api)
    run.figures.readBack += await readBack(api, ledger, ledger.accounts)
  })
  run.figures.rows = auditFile(ledger, run.options.data).rows
}

const AGAIN_AT_ONCE = 500

async function sendAllAgain(run: Run, { url, agent }: Api): Promise<void> {
  const { ledger, shared } = run
  const entries = ledger.accounts.map(({ content }) => ({
    content,
    spelling: run.random.between(0, content.spellings.length - 1),
  }))
  for (const entry of entries) ledger.send(entry)
  const json = entries.filter(({ content }) => content.spellings.length > 1)
  const single = entries.filter(({ content }) => content.spellings.length === 1).map((entry) => [entry])
  const batches = Array.from({ length: Math.ceil(json.length / AGAIN_AT_ONCE) }, (_, at) =>
    json.slice(at * AGAIN_AT_ONCE, (at + 1) * AGAIN_AT_ONCE),
  )
  for (const group of [...batches, ...single]) {
    const planned = { kind: group.length > 1 ? 'batch' : 'single', entries: group, number: ++shared.requests } as const
    const sentAt = ledger.tick()
    const response = await send(url, planned, agent)
    if (isAccepted(response)) enter(ledger, planned, sentAt, response)
    else ledger.violate(`everything sent again: ${response.status} ${response.body.toString().slice(0, 300)}`)
  }
}

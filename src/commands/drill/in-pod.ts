/** Carries out a FailoverDrill in the runner's pod, or undoes what a dead runner has left. */
import { clientSettings } from '../../config/client.ts'
import { type DrillSettings, drillSettings } from '../../config/drill.ts'
import type { ReportStore } from '../../drill/report/store/store.ts'
import { DrillAborted } from '../../drill/runner/aborts.ts'
import { createResourceLog, type ResourceLog, statusOf } from '../../drill/runner/log/resource-log.ts'
import { podDeps } from '../../drill/runner/pod-deps.ts'
import { publish } from '../../drill/runner/publish.ts'
import { runDrill } from '../../drill/runner/run-drill.ts'
import type { Drill } from '../../drill/runner/state.ts'
import type { DrillFacts } from '../../drill/spec/conditions.ts'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import { drillOf } from '../../drill/spec/manifest.ts'
import type { DrillVerdict } from '../../drill/spec/status.ts'
import { carryOut } from '../../drill/undo.ts'
import { IngotError } from '../../errors/error.ts'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import { apiVersionOf, type KubeObject } from '../../kube/client/resource.ts'
import { createScope, type Scope } from '../../std/scope.ts'
import { version } from '../../std/version.ts'
import type { Io } from '../line/command.ts'
import { reportStoreOf } from './report-store.ts'

/** Volume that the containers of the pod share. */
const FOLDER = '/out'
const SCHEDULE_LABEL = 'ingot.dev/drill-schedule'
const WRITE_MS = 60_000

interface Pod {
  readonly api: KubeApi
  readonly namespace: string
  readonly object: KubeObject
  readonly drill: Drill
  readonly settings: DrillSettings
  readonly log: ResourceLog
}

async function podOf(name: string, { clock, signal }: Io, scope: Scope): Promise<Pod> {
  const settings = drillSettings()
  const connection = createKubeConnection({ clock })
  scope.defer(async () => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  const namespace = settings.podNamespace ?? connection.namespace
  const object = await api.get(FAILOVER_DRILLS, { namespace, name }, signal)
  if (object === undefined) throw new IngotError('DRILL_NOT_FOUND', `there is no FailoverDrill ${namespace}/${name}`)
  const { spec } = drillOf({ ...object, kind: FAILOVER_DRILLS.kind }, name)
  const schedule = object.metadata.labels?.[SCHEDULE_LABEL]
  const drill = { name, startedBy: schedule === undefined ? 'operator' : `schedule ${schedule}`, spec }
  return { api, namespace, object, drill, settings, log: createResourceLog(api, object) }
}

function depsOf({ api, namespace, drill, settings, log }: Pod, io: Io) {
  const { storeUrl, redisPassword, clusterDomain, token } = settings
  return podDeps({
    api,
    namespace,
    drill,
    log,
    version: version(),
    say: (line) => void io.stderr.write(`${line}\n`),
    folder: FOLDER,
    storeUrl,
    lockUrl: clientSettings().lockUrl,
    redisPassword,
    clusterDomain,
    token,
  })
}

/** Resolves with the verdict, which is also in the status of the drill. */
export async function runInPod(name: string, io: Io): Promise<DrillVerdict> {
  await using scope = createScope()
  const pod = await podOf(name, io, scope)
  const { log, drill } = pod
  const ending = new AbortController()
  const watching = log.watch((reason) => ending.abort(reason), ending.signal)
  scope.defer(async () => {
    ending.abort(new Error('the drill is over'))
    await watching
  })
  const signal = AbortSignal.any([ending.signal, interruptedBy(io.signal)])
  const deps = depsOf(pod, io)
  scope.defer(async () => deps.redis[Symbol.dispose]())
  let facts: DrillFacts = {}
  const keeping = { ...log, write: (next: DrillFacts, inner: AbortSignal) => log.write((facts = next), inner) }
  const { report } = await runDrill(drill, { ...deps, log: keeping }, signal)
  const writing = AbortSignal.timeout(WRITE_MS)
  const { verdict, reason, message, summary, history } = report
  const store = storeOf(pod)
  const place = await publish({ report, of: comparedWith(pod), store }, writing).then(
    (one) => one.place,
    (failure: unknown) => {
      io.stderr.write(`the report was not stored: ${failure instanceof Error ? failure.message : String(failure)}\n`)
      return undefined
    },
  )
  await log.write(
    {
      ...facts,
      phase: 'Finished',
      verdict,
      reason,
      message: message.slice(0, 4_000),
      summary,
      finishedAt: report.drill.finishedAt,
      ...(place === undefined ? {} : { report: { name: place, sha256: history.sha256 } }),
    },
    writing,
  )
  return verdict
}

/** SIGTERM ends the drill like a request to abort it. */
function interruptedBy(signal: AbortSignal): AbortSignal {
  const ending = new AbortController()
  const end = (): void => ending.abort(new DrillAborted('Interrupted', 'the runner was ended'))
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  return ending.signal
}

/** Runs of one schedule are compared, or else those of one scenario on one release. */
function comparedWith({ object, drill: { name, spec } }: Pod): string {
  return object.metadata.labels?.[SCHEDULE_LABEL] ?? `${spec.target.release}-${spec.scenario?.toLowerCase() ?? name}`
}

function storeOf({ api, namespace, object, drill, settings }: Pod): ReportStore {
  const { name, uid = '' } = object.metadata
  const owner = { apiVersion: apiVersionOf(FAILOVER_DRILLS), kind: FAILOVER_DRILLS.kind, name, uid }
  return reportStoreOf({ spec: drill.spec, api, namespace, owner, settings })
}

/** Carries out the undo list in the status of a drill, and empties it. Rejects if a step fails; the list then stays. */
export async function undoInPod(name: string, io: Io): Promise<number> {
  await using scope = createScope()
  const pod = await podOf(name, io, scope)
  const deps = depsOf(pod, io)
  scope.defer(async () => deps.redis[Symbol.dispose]())
  const { conditions: _conditions, observedGeneration: _generation, ...facts } = statusOf(pod.object)
  const steps = facts.undo ?? []
  await carryOut(steps, deps, io.signal)
  const undoneAt = new Date(io.clock.wallMs()).toISOString()
  const faults = (facts.faults ?? []).map((fault) =>
    steps.some((step) => step.fault === fault.name) ? { ...fault, undoneAt } : fault,
  )
  await pod.log.write({ ...facts, faults, undo: [] }, io.signal)
  return steps.length
}

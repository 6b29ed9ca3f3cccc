/** Carries out a drill from a shell, without the custom resource. */
import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DrillReport } from '../../drill/report/model.ts'
import { createFolderReportStore } from '../../drill/report/store/folder.ts'
import { createFileLog } from '../../drill/runner/log/file-log.ts'
import { publish } from '../../drill/runner/publish.ts'
import { historyText } from '../../drill/runner/report.ts'
import { runDrill } from '../../drill/runner/run-drill.ts'
import { shellDeps } from '../../drill/runner/shell-deps.ts'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { DrillManifest } from '../../drill/spec/manifest.ts'
import type { DrillVerdict } from '../../drill/spec/status.ts'
import { holdTarget } from '../../drill/target-lease.ts'
import { IngotError, reasonOf } from '../../errors/error.ts'
import { createKubeApi, isKubeError, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import type { Resource } from '../../kube/client/resource.ts'
import { createKubectl, currentContext } from '../../kube/kubectl.ts'
import { isFinished, keepDrill } from '../../operator/drills/drill-object.ts'
import { createScope } from '../../std/scope.ts'
import { version } from '../../std/version.ts'
import type { Io } from '../line/command.ts'

export interface ShellCall {
  readonly manifest: DrillManifest
  /** Default: that of the manifest or of the context. */
  readonly namespace: string | undefined
  /** Default: the current one. */
  readonly context: string | undefined
  /** Folder of the report and of the undo list. */
  readonly folder: string
  readonly startedBy: string
}

/** Resolves with the verdict. Rejects with DRILL_REFUSED if the namespace does not allow drills, or has one already. */
export async function runFromShell(call: ShellCall, io: Io): Promise<DrillVerdict> {
  const { manifest, folder, startedBy } = call
  const { clock, signal } = io
  await using scope = createScope()
  const context = call.context ?? (await currentContext(signal))
  const connection = createKubeConnection({ clock, context })
  scope.defer(async () => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  const namespace = call.namespace ?? manifest.namespace ?? connection.namespace
  await requireAllowed(api, namespace, signal)
  const release = manifest.spec.target.release
  const isRunning = (uid: string): Promise<boolean> => isUnfinished(api, { namespace, uid }, signal)
  const holder = `${startedBy}/${manifest.name}`
  const lease = await holdTarget({ api, clock, namespace, release, holder, isRunning }, signal)
  scope.defer(() => lease[Symbol.asyncDispose]())
  makeFolder(folder)
  const drill = { name: manifest.name, startedBy, spec: manifest.spec }
  const log = createFileLog(join(folder, 'status.json'), { drill: manifest.name, namespace, release })
  const say = (line: string): void =>
    void io.stderr.write(`${new Date(clock.wallMs()).toISOString().slice(11, 19)} ${line}\n`)
  const kubectl = createKubectl(context, namespace)
  const { report, events } = await runDrill(
    drill,
    shellDeps({ api, kubectl, drill, log, version: version(), say }),
    signal,
  )
  await writeFile(join(folder, 'history.ndjson'), historyText(events))
  // the report is written after an abort too
  await save(report, folder, `${release}-${manifest.spec.scenario?.toLowerCase() ?? manifest.name}`)
  io.stdout.write(textOf(report, folder))
  return report.verdict
}

const NAMESPACES: Resource = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
const ALLOWED = 'ingot.dev/drills'
const STOP = 'ingot.dev/drills-stop'

/** Rejects with DRILL_REFUSED unless the namespace opts in. */
async function requireAllowed(api: KubeApi, namespace: string, signal: AbortSignal): Promise<void> {
  const found = await api.get(NAMESPACES, { name: namespace }, signal)
  const refuse = (why: string): never => {
    throw new IngotError('DRILL_REFUSED', `namespace ${namespace} ${why}`)
  }
  if (found === undefined) refuse('does not exist')
  const { labels = {}, annotations = {} } = found?.metadata ?? {}
  if (labels[ALLOWED] !== 'allowed') refuse(`allows no drills: kubectl label namespace ${namespace} ${ALLOWED}=allowed`)
  if (annotations[STOP] === 'true') refuse(`has the annotation ${STOP}, which ends all drills`)
}

interface ById {
  readonly namespace: string
  readonly uid: string
}

/** Resolves with true if a FailoverDrill of this UID has not finished. Without the operator there are none. */
async function isUnfinished(api: KubeApi, { namespace, uid }: ById, signal: AbortSignal): Promise<boolean> {
  try {
    const { items } = await api.list(FAILOVER_DRILLS, { namespace }, signal)
    const drill = items.find(({ metadata }) => metadata.uid === uid)
    return drill !== undefined && !isFinished(keepDrill(drill))
  } catch (failure) {
    if (isKubeError(failure, 'KUBE_NOT_FOUND') || isKubeError(failure, 'KUBE_FORBIDDEN')) return false
    throw failure
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new IngotError('OUTPUT_UNWRITABLE', `the folder "${folder}" cannot be made: ${reasonOf(cause)}`, { cause })
  }
}

async function save(report: DrillReport, folder: string, of: string): Promise<void> {
  const store = createFolderReportStore(join(folder, '..', 'reports'))
  const { files } = await publish({ report, of, store }, AbortSignal.timeout(60_000))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
}

function textOf({ verdict, reason, message, summary, criteria }: DrillReport, folder: string): string {
  const { attempted, acknowledged, lost = '?', duplicates = '?', secondsWithoutWrite } = summary
  const lines = [
    `${verdict}: ${reason}: ${message}`,
    `${attempted} items sent, ${acknowledged} acknowledged, ${lost} lost, ${duplicates} stored twice, ${secondsWithoutWrite} s without a write`,
    ...criteria.map(({ name, met, seen }) => `${met ? 'met   ' : 'missed'} ${name}: ${seen}`),
    join(folder, 'report.html'),
  ]
  return `${lines.join('\n')}\n`
}

/** The DrillSchedules that the gates of this process know. */
import { DRILL_SCHEDULES } from '../../drill/spec/kinds.ts'
import { createKubeApi } from '../../kube/client/api.ts'
import type { KubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { createInformer, type InformerDeps } from '../../kube/runtime/informer.ts'
import { mergeInformers } from '../../kube/runtime/merged-informer.ts'
import { parseDurationMs } from '../../std/duration.ts'
import type { GatedSchedule } from './decide.ts'
import type { GateSource } from './handle.ts'

export interface GateWatch {
  readonly source: GateSource
  /** Lists and watches until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

interface GateWatchOptions extends Omit<InformerDeps, 'api'> {
  readonly connection: KubeConnection
  /** Default: all. */
  readonly namespaces?: readonly string[] | undefined
}

/** Creates a watch of its own, so that each process has one, also those that do not lead. */
export function createGateWatch({ connection, namespaces = [], ...deps }: GateWatchOptions): GateWatch {
  const api = createKubeApi(connection)
  const watched = namespaces.length === 0 ? [undefined] : namespaces
  const schedules = mergeInformers(
    watched.map((namespace) =>
      createInformer({ resource: DRILL_SCHEDULES, namespace, keep: keepGated }, { ...deps, api }),
    ),
  )
  let isSynced = false
  void schedules.synced.then(() => (isSynced = true))
  return {
    source: {
      find(namespace, name) {
        if (!isSynced) return 'unsynced'
        return schedules.get(`${namespace}/${name}`)?.gated ?? 'unknown'
      },
    },
    run: (signal) => schedules.run(signal),
  }
}

interface GatedObject extends KubeObject {
  readonly gated: GatedSchedule
}

/** The default of the definition. */
const FRESHNESS_MS = 168 * 3_600_000

/** Keeps what a gate needs. */
function keepGated({ metadata: { name, namespace, resourceVersion }, spec, status }: KubeObject): GatedObject {
  const passed = { name: textIn(status, 'lastPassed', 'name'), at: textIn(status, 'lastPassed', 'at') }
  const gated: GatedSchedule = {
    release: textIn(spec, 'template', 'spec', 'target', 'release') ?? '',
    freshnessMs: parseDurationMs(textIn(spec, 'freshness') ?? '') ?? FRESHNESS_MS,
    lastPassed: passed.at === undefined ? undefined : { name: passed.name ?? '', at: passed.at },
    lastVerdict: textIn(status, 'lastVerdict'),
    lastDrill: textIn(status, 'lastDrill'),
    next: textIn(status, 'next'),
    active: textIn(status, 'active'),
  }
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
  return { metadata, gated }
}

/** Returns the text at the path; undefined for another type and for an empty text. */
function textIn(value: unknown, ...path: readonly string[]): string | undefined {
  const found = path.reduce<unknown>((here, step) => {
    return typeof here === 'object' && here !== null ? Reflect.get(here, step) : undefined
  }, value)
  return typeof found === 'string' && found !== '' ? found : undefined
}

/** `kubectl ingot drill run`: starts a drill as a resource and follows it, or carries it out from this shell. */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { DrillManifest } from '../../drill/spec/manifest.ts'
import { IngotError } from '../../errors/error.ts'
import { isKubeError } from '../../kube/client/api.ts'
import { runFromShell } from '../drill/from-shell.ts'
import { exitOf, readDrill } from '../drill/manifest.ts'
import { defineCommand, EXIT, type ExitCode, type Io } from '../line/command.ts'
import { NAMESPACE_OPTIONS, withNamespace } from './connect.ts'
import { followToEnd } from './drill-watch.ts'

const OPTIONS = {
  ...NAMESPACE_OPTIONS,
  local: { type: 'boolean', summary: 'carry the drill out from this shell, without the operator and its resources' },
  name: { type: 'string', value: 'NAME', summary: 'name of the drill, instead of that of the file' },
  release: { type: 'string', value: 'RELEASE', summary: 'the release, instead of spec.target.release' },
} as const

export const drillRun = defineCommand({
  positionals: ['FILE'],
  help: `Creates the FailoverDrill of a manifest, follows it to its end as drill watch does, and ends with the exit code of
its verdict. The operator runs the drill. A second run needs another name, or the deletion of the first one.

With --local the drill is carried out from this shell with the rights of the user: the cluster needs neither the
operator nor its resources. The report is in out/drill/NAME. If this process is killed, ingot drill undo restores what
the drill has broken.

Exit code: 0 Pass, 1 Fail, 2 if the drill cannot be started, 3 Inconclusive, 4 Aborted or Ctrl-C.`,
  examples: [
    'kubectl ingot drill run k8s/drills/d02-graceful-delete.yaml -n shop',
    'kubectl ingot drill run k8s/drills/d05-operator-restart.yaml -n shop --local',
  ],
  failed: EXIT.usage,
  options: OPTIONS,
  run({ values, positionals: [file = ''] }, io) {
    const manifest = readDrill(file, values)
    return values.local ? locally(manifest, values, io) : asResource(manifest, values, io)
  },
})

interface Choice {
  readonly namespace: string | undefined
  readonly context: string | undefined
}

async function locally(manifest: DrillManifest, { namespace, context }: Choice, io: Io): Promise<ExitCode> {
  const folder = join('out', 'drill', manifest.name)
  return exitOf(await runFromShell({ manifest, namespace, context, folder, startedBy: userInfo().username }, io))
}

function asResource(manifest: DrillManifest, values: Choice, io: Io): Promise<ExitCode> {
  const { name, spec } = manifest
  const namespace = values.namespace ?? manifest.namespace
  return withNamespace({ ...values, namespace }, io, async (place) => {
    const drill = { metadata: { name, namespace: place.namespace }, spec }
    await place.api.create(FAILOVER_DRILLS, drill, io.signal).catch((cause: unknown) => {
      if (!isKubeError(cause, 'KUBE_CONFLICT')) throw cause
      const remedy = `delete it, or give another --name`
      throw new IngotError('KUBE_CONFLICT', `there is a drill ${place.namespace}/${name} already: ${remedy}`, { cause })
    })
    return followToEnd(place, name, { io, json: false })
  })
}

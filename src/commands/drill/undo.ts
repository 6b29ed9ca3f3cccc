/** `ingot drill undo`: restores what a drill has broken, when its runner has died. */

import { createFileLog, readDrillFile } from '../../drill/runner/log/file-log.ts'
import { createDocker, createKindMachines } from '../../drill/targets/kind/docker.ts'
import { createShellView } from '../../drill/targets/redis/shell-view.ts'
import { carryOut } from '../../drill/undo.ts'
import { createKubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import { currentContext } from '../../kube/kubectl.ts'
import { createWorkloads } from '../../kube/workloads.ts'
import { defineCommand, EXIT, type Io, usageError } from '../line/command.ts'
import { undoInPod } from './in-pod.ts'

export const drillUndo = defineCommand({
  positionals: ['[FILE]'],
  help: `
Carries out the undo list of a drill: continues stopped processes, removes network policies and foreign objects,
uncordons nodes, and restores images and numbers of pods. FILE is the status.json of \`ingot drill run\`. The command may
be repeated: a step that is done does no harm.

--resource is for a pod with the account of the runner: it carries out the list in the status of a FailoverDrill.

Exit code: 0 everything is restored, 1 a step failed; the list is kept.`,
  examples: ['ingot drill undo out/drill/d11/status.json', 'ingot drill undo --resource weekly-12'],
  options: {
    resource: { type: 'string', value: 'NAME', summary: 'in a pod: the FailoverDrill to undo' },
    context: { type: 'string', value: 'CONTEXT', summary: 'context of the kubeconfig, default: the current one' },
  },
  async run({ values: { resource, context }, positionals: [file] }, io) {
    if ((resource === undefined) === (file === undefined)) throw usageError('give a FILE or --resource NAME')
    const count = resource === undefined ? await undoFile(file ?? '', context, io) : await undoInPod(resource, io)
    io.stderr.write(count === 0 ? 'nothing is left to undo\n' : `undone: ${count} steps\n`)
    return EXIT.fine
  },
})

async function undoFile(path: string, named: string | undefined, { clock, signal }: Io): Promise<number> {
  const { drill, namespace, release, status } = readDrillFile(path)
  const steps = status.undo ?? []
  if (steps.length === 0) return 0
  const context = named ?? (await currentContext(signal))
  using connection = createKubeConnection({ clock, context })
  const workloads = createWorkloads({ api: createKubeApi(connection), namespace, release })
  const machines = context.startsWith('kind-') ? { machines: createKindMachines(createDocker()) } : {}
  await carryOut(steps, { workloads, redis: createShellView(workloads), ...machines }, signal)
  await createFileLog(path, { drill, namespace, release }).write({ ...status, undo: [] }, signal)
  return steps.length
}

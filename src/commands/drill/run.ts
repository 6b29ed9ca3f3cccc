/** `ingot drill run`: carries out a failover drill from a shell, or in the runner's pod. */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { defineCommand, EXIT, usageError } from '../line/command.ts'
import { runFromShell } from './from-shell.ts'
import { runInPod } from './in-pod.ts'
import { exitOf, readDrill } from './manifest.ts'

export const drillRun = defineCommand({
  positionals: ['[FILE]'],
  help: `
Carries out a failover drill: waits for a steady state under load, injects the faults, proves and undoes them, and
judges every item. FILE is the manifest of a FailoverDrill. It runs from this shell with the rights of the kubeconfig,
and its namespace needs the label ingot.dev/drills=allowed. k6 and a canary run as Jobs beside the release.

The folder of --out has the report (HTML, Markdown, JSON, JUnit), the history, and status.json with the faults that are
to be undone: if this process dies, \`ingot drill undo FOLDER/status.json\` restores them.

--resource is for the runner's pod: it carries out the FailoverDrill of this name, in the namespace of the pod.

Exit code: 0 Pass, 1 Fail, 2 wrong usage, 3 Inconclusive, 4 Aborted.`,
  examples: ['ingot drill run k8s/drills/d02-graceful-delete.yaml -n shop', 'ingot drill run --resource weekly-12'],
  options: {
    resource: { type: 'string', value: 'NAME', summary: "in the runner's pod: the FailoverDrill to carry out" },
    namespace: { type: 'string', short: 'n', value: 'NAMESPACE', summary: 'default: that of the file or the context' },
    context: { type: 'string', value: 'CONTEXT', summary: 'context of the kubeconfig, default: the current one' },
    release: { type: 'string', value: 'RELEASE', summary: 'the release, instead of spec.target.release' },
    out: { type: 'string', short: 'o', value: 'FOLDER', summary: 'default: out/drill/NAME' },
  },
  failed: EXIT.inconclusive,
  async run({ values, positionals: [file] }, io) {
    const { resource, namespace, context, release, out } = values
    if ((resource === undefined) === (file === undefined)) throw usageError('give a FILE or --resource NAME')
    if (resource !== undefined) return exitOf(await runInPod(resource, io))
    const manifest = readDrill(file ?? '', { release })
    const folder = out ?? join('out', 'drill', manifest.name)
    return exitOf(await runFromShell({ manifest, namespace, context, folder, startedBy: userInfo().username }, io))
  },
})

/** The commands of the kubectl plugin, in the order of the help. `ingot` has them in the group `kube`. */
import type { CommandEntry } from '../line/command.ts'

export const KUBECTL_COMMANDS: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'show the service, Redis and the last failover of a release',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'doctor',
    summary: 'find hazards of a release, each with a remedy',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'handover',
    summary: 'hand Redis over to a replica without loss, by the operator',
    load: async () => (await import('./handover.ts')).handover,
  },
  {
    name: 'bundle',
    summary: 'write a support bundle of a release, without secrets',
    load: async () => (await import('./bundle.ts')).bundle,
  },
  {
    name: 'drill run',
    summary: 'start a drill and follow it, or carry it out from this shell',
    load: async () => (await import('./drill-run.ts')).drillRun,
  },
  {
    name: 'drill list',
    summary: 'list the drills of a namespace with their verdicts',
    load: async () => (await import('./drill-list.ts')).drillList,
  },
  {
    name: 'drill watch',
    summary: 'follow a drill, and end with the exit code of its verdict',
    load: async () => (await import('./drill-watch.ts')).drillWatch,
  },
  {
    name: 'drill report',
    summary: 'print the report of a drill as HTML, Markdown, JSON or JUnit',
    load: async () => (await import('./drill-report.ts')).drillReport,
  },
]

export const KUBE_GROUP: readonly CommandEntry[] = KUBECTL_COMMANDS.map(({ name, summary, load }) => ({
  name: `kube ${name}`,
  summary,
  load: async () => {
    const command = await load()
    return { ...command, help: asGroup(command.help), examples: command.examples.map(asGroup) }
  },
}))

/** The plugin may not be installed under its own name. */
const asGroup = (text: string): string => text.replaceAll('kubectl ingot ', 'ingot kube ')

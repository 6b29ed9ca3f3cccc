/** Every command of `ingot`, in the order of the help. A new command is one file and one entry here. */
import { KUBE_GROUP } from './kube/table.ts'
import type { CommandEntry } from './line/command.ts'

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'serve the HTTP API, by default with the embedded store',
    load: async () => (await import('./serve.ts')).serve,
  },
  {
    name: 'ingest',
    summary: 'send a file of items to a running service',
    load: async () => (await import('./ingest.ts')).ingest,
  },
  {
    name: 'export',
    summary: 'write all items of a collection to a file',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'id',
    summary: 'print the id that a content gets',
    load: async () => (await import('./id.ts')).id,
  },
  {
    name: 'status',
    summary: 'show the state of a running service',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'verify',
    summary: 'check a data folder or database for damage',
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'check',
    summary: 'judge a history and the final content of its store',
    load: async () => (await import('./check.ts')).check,
  },
  {
    name: 'drill run',
    summary: 'carry out a failover drill, and judge every item',
    load: async () => (await import('./drill/run.ts')).drillRun,
  },
  {
    name: 'drill undo',
    summary: 'restore what a drill has broken',
    load: async () => (await import('./drill/undo.ts')).drillUndo,
  },
  {
    name: 'drill history',
    summary: "merge k6's JSON output and other histories into one history",
    load: async () => (await import('./drill-history.ts')).drillHistory,
  },
  {
    name: 'drill job',
    summary: 'print the load test as a Job for kubectl',
    load: async () => (await import('./drill-job.ts')).drillJob,
  },
  {
    name: 'drill canary',
    summary: 'record what Redis acknowledges and grants during faults',
    load: async () => (await import('./drill-canary.ts')).drillCanary,
  },
  {
    name: 'openapi',
    summary: 'print the OpenAPI document of the HTTP API',
    load: async () => (await import('./openapi.ts')).openapi,
  },
  {
    name: 'migrate',
    summary: 'update the database to the schema version of this release',
    load: async () => (await import('./migrate.ts')).migrate,
  },
  {
    name: 'epoch',
    summary: 'show the epoch of the store, or begin a new one',
    load: async () => (await import('./epoch.ts')).epoch,
  },
  {
    name: 'operate',
    summary: 'run the operator: report the state of Redis topologies in a cluster',
    load: async () => (await import('./operate.ts')).operate,
  },
  {
    name: 'lock',
    summary: 'run a command under a distributed lock, or show who holds it',
    load: async () => (await import('./lock/command.ts')).lock,
  },
  ...KUBE_GROUP,
  {
    name: 'completion',
    summary: 'print the completion script of a shell: bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completionCommand(() => COMMANDS),
  },
]

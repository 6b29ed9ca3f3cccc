/** `ingot operate`: runs the operator for RedisTopology, FailoverDrill and DrillSchedule. */
import { operatorConfig } from '../config/operator.ts'
import { createKubeConnection } from '../kube/client/connection.ts'
import { createRuntimeMeasures } from '../kube/runtime/measures.ts'
import { createDrillMeasures } from '../operator/drills/measures.ts'
import { serveEndpoints } from '../operator/endpoints.ts'
import { serveGates } from '../operator/gates/serve.ts'
import { createGateWatch } from '../operator/gates/watch.ts'
import { definitions } from '../operator/installed.ts'
import { createOperator } from '../operator/operator.ts'
import { createTopologyMeasures } from '../operator/topology/measures.ts'
import { version } from '../std/version.ts'
import { createLog } from '../telemetry/log.ts'
import { createProcessMetrics } from '../telemetry/metrics.ts'
import { defineCommand, EXIT, usageError } from './line/command.ts'

export const operate = defineCommand({
  help: `
Watches the RedisTopology resources of a cluster, reports the state of their Redis servers in their status, and repairs
roles, Sentinels and clusters where the policy is Heal. Starts the drills that FailoverDrill and DrillSchedule resources
describe, and undoes their faults if a drill dies. Several processes may run: one leads, by the Lease
ingot-operator. It ends with Ctrl-C or SIGTERM.

Outside a cluster it uses the current context of KUBECONFIG. INGOT_LISTEN is the address of /metrics, /healthz and
/readyz. INGOT_GATES_LISTEN is the address of the gates for delivery (docs/gates.md). The Lease is in POD_NAMESPACE, or
in the namespace of the context.`,
  examples: [
    'ingot operate --print-crds | kubectl apply --server-side -f -',
    'ingot operate',
    'ingot operate --namespaces shop,stock',
  ],
  options: {
    namespaces: { type: 'string', value: 'A,B', summary: 'watch these namespaces, default: all' },
    'no-drills': { type: 'boolean', summary: 'end running drills and start none' },
    'print-crds': { type: 'boolean', summary: 'print the custom resource definitions as JSON, and end' },
  },
  async run({ values }, io) {
    const { clock, signal, stdout } = io
    if (values['print-crds']) {
      const list = { apiVersion: 'v1', kind: 'List', items: definitions(version()) }
      stdout.write(`${JSON.stringify(list, null, 2)}\n`)
      return EXIT.fine
    }
    const config = operatorConfig()
    const namespaces = values.namespaces === undefined ? undefined : namespacesIn(values.namespaces)
    const log = createLog({ level: config.logLevel })
    using connection = createKubeConnection({ clock, kubeconfig: config.kubeconfig })
    const metrics = createProcessMetrics()
    const measures = createRuntimeMeasures(metrics)
    const operator = createOperator({
      connection,
      leaseNamespace: config.podNamespace ?? connection.namespace,
      name: config.podName,
      namespaces,
      version: version(),
      clock,
      random: Math.random,
      log,
      measures,
      topologyMeasures: createTopologyMeasures(metrics),
      drillMeasures: createDrillMeasures(metrics),
      noDrills: values['no-drills'],
    })
    await using endpoints = await serveEndpoints({ ...config, metrics, notReady: () => operator.notReady() })
    const watch = createGateWatch({ connection, namespaces, clock, random: Math.random, log, measures })
    await using gates =
      config.gates === undefined ? undefined : await serveGates({ ...config.gates, source: watch.source, clock, log })
    log.info(
      { url: endpoints.url, gates: gates?.url, server: connection.server, namespaces: namespaces ?? 'all' },
      'operating',
    )
    await Promise.all([operator.run(signal), ...(gates === undefined ? [] : [watch.run(signal)])])
    return EXIT.fine
  },
})

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

function namespacesIn(text: string): readonly string[] {
  const names = [...new Set(text.split(','))]
  const wrong = names.find((name) => !NAMESPACE.test(name))
  if (wrong !== undefined)
    throw usageError(`--namespaces has "${wrong}": write names of namespaces, such as shop,stock`)
  return names
}

/** `ingot drill job`: prints the load test as manifests. */
import { loadManifests } from '../drill/sources/k6/job.ts'
import { readScripts } from '../drill/sources/k6/scripts.ts'
import { defineCommand, EXIT, usageError } from './line/command.ts'

export const drillJob = defineCommand({
  help: `
Prints a ConfigMap with the load tests of this folder, a checkout of ingot, and a Job that runs one of them in the
cluster, as one JSON list for kubectl. k6 writes into a volume. When k6 has ended, a second container converts its
output to /out/history.ndjson, becomes Ready, and keeps the file until /out/fetched exists. loadtests/lib/settings.ts
lists the settings.`,
  examples: [
    'ingot drill job --set BASE_URL=http://ingot,RATE=50,DURATION=60s,RUN=one | kubectl apply -f -',
    'ingot drill job --name soak --script soak --set BASE_URL=http://ingot --token-secret ingot-token | kubectl apply -f -',
  ],
  options: {
    set: { type: 'string', value: 'NAME=VALUE,...', summary: 'settings of the script', required: true },
    name: { type: 'string', value: 'NAME', summary: 'name of the Job and its ConfigMap', default: 'ingot-load' },
    namespace: { type: 'string', short: 'n', value: 'NAME', summary: 'namespace', default: 'default' },
    release: { type: 'string', value: 'NAME', summary: 'release under load', default: 'ingot' },
    script: { type: 'string', value: 'ingest|smoke|soak', summary: 'the load test to run', default: 'ingest' },
    image: { type: 'string', value: 'IMAGE', summary: 'image of ingot', default: 'ingot:dev' },
    'k6-image': { type: 'string', value: 'IMAGE', summary: 'image of k6', default: 'grafana/k6:1.8.1' },
    'token-secret': { type: 'string', value: 'NAME', summary: 'a Secret with the bearer token under the key token' },
    node: { type: 'string', value: 'NAME', summary: 'the node to run on' },
  },
  async run({ values }, io) {
    const { name, namespace, release, script, image, node } = values
    const items = loadManifests({
      name,
      namespace,
      release,
      script,
      image,
      k6Image: values['k6-image'],
      env: settingsOf(values.set),
      files: readScripts('.'),
      ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
      ...(values['token-secret'] === undefined ? {} : { tokenSecret: values['token-secret'] }),
    })
    io.stdout.write(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2)}\n`)
    return EXIT.fine
  },
})

/** Splits the settings. A value may contain commas: a part without `NAME=` belongs to the setting before it. */
function settingsOf(text: string): Readonly<Record<string, string>> {
  const parts = text.split(/,(?=[A-Z\d_]+=)/)
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, value] = /^([A-Z][A-Z\d_]*)=(.*)$/s.exec(part) ?? []
      if (name === undefined || value === undefined) throw usageError(`--set has "${part}", write NAME=VALUE`)
      return [name, value]
    }),
  )
}

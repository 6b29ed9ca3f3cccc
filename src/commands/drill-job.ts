/** `ingot drill job`: the load test as manifests. */
import { loadManifests } from '../drill/sources/k6/job.ts'
import { readScripts } from '../drill/sources/k6/scripts.ts'
import { defineCommand, EXIT, usageError } from './line/command.ts'

export const drillJob = defineCommand({
  help: `
Prints a ConfigMap with the load tests of this folder, a checkout of ingot, and a Job that runs one of them in the
cluster, as one JSON list for kubectl. k6 writes into a volume; when it has ended, a second container turns that into
/out/history.ndjson, is Ready, and keeps it until /out/fetched exists. Settings are those of loadtests/lib/settings.ts.`,
  examples: [
    'ingot drill job --set BASE_URL=http://ingot,RATE=50,DURATION=60s,RUN=one | kubectl apply -f -',
    'ingot drill job --name soak --script soak --set BASE_URL=http://ingot --token-secret ingot-token | kubectl apply -f -',
  ],
  options: {
    set: { type: 'string', value: 'NAME=VALUE,...', summary: 'settings of the script', required: true },
    name: { type: 'string', value: 'NAME', summary: 'of the Job and its ConfigMap', default: 'ingot-load' },
    namespace: { type: 'string', short: 'n', value: 'NAME', summary: 'namespace', default: 'default' },
    release: { type: 'string', value: 'NAME', summary: 'the release that is loaded', default: 'ingot' },
    script: { type: 'string', value: 'ingest|smoke|soak', summary: 'which load test', default: 'ingest' },
    image: { type: 'string', value: 'IMAGE', summary: 'of ingot', default: 'ingot:dev' },
    'k6-image': { type: 'string', value: 'IMAGE', summary: 'of k6', default: 'grafana/k6:1.8.1' },
    'token-secret': { type: 'string', value: 'NAME', summary: 'a Secret whose key token is the bearer token' },
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

/** A value may hold a comma: what has no `NAME=` before it belongs to the one before. */
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

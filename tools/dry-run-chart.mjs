/**
 * Sends every set of values in tests/values of both charts and the manifests of k8s/ to the API server of the current
 * context as a dry run. It creates nothing but a temporary namespace. Finds unknown fields, wrong types, duplicate fields,
 * and pods that the pod security standard `restricted` refuses. Skips and lists kinds that the cluster does not know; of
 * the charts, only those of OPTIONAL may be unknown.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

const ROOT = join(import.meta.dirname, '..')
const CHARTS = ['ingot', 'ingot-operator']
const PLAIN = join(ROOT, 'k8s')
const NAMESPACE = `ingot-dry-run-${process.pid}`
const TIMEOUT_MS = 60_000
/** API groups of the charts that a cluster may lack. */
const OPTIONAL = /^(gateway\.networking\.k8s\.io|ingot\.dev|monitoring\.coreos\.com)\//

function run(command, args, input) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', input, timeout: TIMEOUT_MS })
  if (error !== undefined) throw new Error(`${command} cannot be run: ${error.message}`)
  return { status, stdout, stderr }
}

function need(command, args, input) {
  const { status, stdout, stderr } = run(command, args, input)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Returns the kinds that the cluster knows, as apiVersion/kind. */
function knownKinds() {
  const rows = need('kubectl', ['api-resources', '--no-headers']).trim().split('\n')
  return new Set(rows.map((row) => row.trim().split(/ +/).slice(-3)).map(([version, , kind]) => `${version}/${kind}`))
}

/** An object of a fixed namespace is tried in the temporary one too. */
const moved = (object) => ({ ...object, metadata: { ...object.metadata, namespace: NAMESPACE } })

function objectsOf(text) {
  // parse YAML like Kubernetes: 0555 is octal
  const documents = parseAllDocuments(text, { version: '1.1' })
  for (const { errors } of documents) if (errors[0] !== undefined) throw errors[0]
  const objects = documents.map((document) => document.toJS()).filter((object) => object !== null)
  return objects.map((object) => (object.metadata.namespace === undefined ? object : moved(object)))
}

/** Returns the errors and warnings of the server about the objects; empty if there are none. */
function judge(objects) {
  // kinds of other tools and of the operator may be all that a file has
  if (objects.length === 0) return ''
  // the definitions of an installed operator have another owner
  const args = [
    'apply',
    '--server-side',
    '--force-conflicts',
    '--dry-run=server',
    '--validate=strict',
    '-n',
    NAMESPACE,
    '-f',
    '-',
  ]
  const { status, stderr } = run('kubectl', args, objects.map((object) => JSON.stringify(object)).join('\n---\n'))
  return stderr.trim() || (status === 0 ? '' : `kubectl ended with ${status}`)
}

function chartSets(chart) {
  const folder = join(ROOT, 'charts', chart)
  const values = join(folder, 'tests', 'values')
  return readdirSync(values).map((file) => {
    const args = ['template', chart, folder, '--namespace', NAMESPACE, '--values', join(values, file)]
    return { name: `${chart}/tests/values/${file}`, objects: objectsOf(need('helm', args)), isChart: true }
  })
}

function plainSets() {
  const files = readdirSync(PLAIN, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.yaml') && !file.includes('values') && file !== 'prometheus-rules.yaml',
  )
  return files.map((file) => {
    return { name: `k8s/${file}`, objects: objectsOf(readFileSync(join(PLAIN, file), 'utf8')), isChart: false }
  })
}

function report({ name, objects, isChart }, kinds) {
  const isKnown = ({ apiVersion, kind }) => kinds.has(`${apiVersion}/${kind}`)
  const skipped = objects.filter((object) => !isKnown(object))
  const unknown = skipped.map(({ kind }) => kind)
  const isMissing = isChart && skipped.some(({ apiVersion }) => !OPTIONAL.test(apiVersion))
  const problem = isMissing ? `the cluster does not know ${unknown}` : judge(objects.filter(isKnown))
  const note = unknown.length > 0 ? `, not known here: ${unknown.join(', ')}` : ''
  console.log(
    `${problem === '' ? 'ok' : 'FAILED'}: ${name}, ${objects.length} objects${note}${problem && `\n${problem}`}`,
  )
  return problem === ''
}

const label = (mode) => `pod-security.kubernetes.io/${mode}=restricted`
const context = need('kubectl', ['config', 'current-context']).trim()
console.log(`dry run on ${context}`)
need('kubectl', ['create', 'namespace', NAMESPACE])
try {
  need('kubectl', ['label', 'namespace', NAMESPACE, label('enforce'), label('warn')])
  // a pod needs an existing service account, even in a dry run
  for (const account of ['ingot', 'ingot-runner', 'ingot-operator', 'redis-operator'])
    need('kubectl', ['create', 'serviceaccount', account, '-n', NAMESPACE])
  const kinds = knownKinds()
  const results = [...CHARTS.flatMap(chartSets), ...plainSets()].map((set) => report(set, kinds))
  process.exitCode = results.every(Boolean) ? 0 : 1
} finally {
  need('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false'])
}

/**
 * Writes the manifests of the scenarios, k8s/drills/dNN-NAME.yaml. With --check, fails if one is missing, outdated or not
 * a scenario.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scenarioOf } from '../src/drill/spec/scenarios.ts'
import { SCENARIO_NAMES } from '../src/drill/spec/schema.ts'

const FOLDER = join(import.meta.dirname, '..', 'k8s', 'drills')
const isCheck = process.argv.includes('--check')

const files = new Map(
  SCENARIO_NAMES.map((name) => {
    const { slug, title, modes } = scenarioOf(name, 'sentinel')
    const id = `d${name.slice(1).padStart(2, '0')}-${slug}`
    const text = `# ${name}: ${title}.
# For Redis with ${modes.join(' or ')}. The namespace needs the label ingot.dev/drills: allowed, and the release
# drills.enabled: true. docs/drills.md describes the scenarios.
#
#   kubectl apply --namespace NAMESPACE -f k8s/drills/${id}.yaml
#   kubectl wait --namespace NAMESPACE --for=condition=Finished --timeout=20m failoverdrill/${id}
apiVersion: ingot.dev/v1alpha1
kind: FailoverDrill
metadata:
  name: ${id}
spec:
  target:
    release: ingot
  scenario: ${name}
`
    return [`${id}.yaml`, text]
  }),
)

function textOf(name) {
  try {
    return readFileSync(join(FOLDER, name), 'utf8')
  } catch {
    return ''
  }
}

if (isCheck) {
  const wrong = [...files].filter(([name, text]) => textOf(name) !== text).map(([name]) => name)
  const strange = readdirSync(FOLDER).filter((name) => !files.has(name))
  for (const name of [...wrong, ...strange]) console.error(`k8s/drills/${name} is not as npm run drills writes it`)
  process.exit(wrong.length + strange.length === 0 ? 0 : 1)
}
mkdirSync(FOLDER, { recursive: true })
for (const [name, text] of files) writeFileSync(join(FOLDER, name), text)

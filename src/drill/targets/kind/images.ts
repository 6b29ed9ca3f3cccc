/**
 * Builds the images of a drill and loads them into the kind cluster: the shipped service, the same with another tag for
 * upgrades, and sabotaged ones, which are the shipped code with active fail points.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FailpointName } from '../../../std/failpoint.ts'
import { createProgram, type Program } from '../../../std/run-program.ts'
import { ROOT } from '../../checkout.ts'
import type { Sabotage } from '../../plan.ts'
import { imageOf, sabotagedTag, TAGS } from '../kubernetes/values.ts'

const BUILD_MS = 600_000
const LOAD_MS = 300_000

const SABOTAGES: Readonly<Record<Sabotage, readonly FailpointName[]>> = {
  'answer-before-commit': ['commit/answer-before-commit'],
  // with the fence the store would still refuse late saves
  'no-lock': ['lock/none', 'lock/ignore-fence'],
}

export interface Images {
  readonly docker: Program
  /** Name of the kind cluster. */
  readonly cluster: string
  readonly nodes: readonly string[]
  readonly say: (line: string) => void
}

/** Builds the shipped image and those of `sabotages`, and loads all of them into the nodes. */
export async function provideImages(
  images: Images,
  sabotages: readonly Sabotage[],
  signal: AbortSignal,
): Promise<void> {
  const { docker, cluster, nodes, say } = images
  const shipped = imageOf(TAGS.shipped)
  say(`building ${shipped}`)
  const bounds = { signal, timeoutMs: BUILD_MS }
  await docker(['build', '--network', 'host', '--tag', shipped, ROOT], bounds)
  const next = `FROM ${shipped}\nLABEL ingot.dev/drill=next\n`
  await docker(['build', '--tag', imageOf(TAGS.next), '-'], { ...bounds, input: next })
  for (const sabotage of sabotages) await buildSabotaged(docker, sabotage, signal)
  const names = [TAGS.shipped, TAGS.next, ...sabotages.map(sabotagedTag)].map(imageOf)
  say(`loading ${names.join(', ')} into ${nodes.join(', ')}`)
  const kind = createProgram('kind', 'install kind, and put it on the PATH')
  await kind(['load', 'docker-image', '--name', cluster, '--nodes', nodes.join(','), ...names], {
    signal,
    timeoutMs: LOAD_MS,
  })
}

/** Test files that a sabotaged image has in addition to the shipped ones. */
const FILES = ['failpoint.ts', 'mutants.ts']

async function buildSabotaged(docker: Program, sabotage: Sabotage, signal: AbortSignal): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-sabotage-'))
  try {
    for (const file of FILES) cpSync(join(ROOT, 'src', 'testing', file), join(folder, file))
    // Node runs TypeScript without a build
    const imports = { '#failpoint': { failpoints: './failpoint-on.ts', default: './std/failpoint.js' } }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', imports }))
    writeFileSync(join(folder, 'Dockerfile'), dockerfile(SABOTAGES[sabotage]))
    await docker(['build', '--tag', imageOf(sabotagedTag(sabotage)), folder], { signal, timeoutMs: BUILD_MS })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function dockerfile(failpoints: readonly FailpointName[]): string {
  return `FROM ${imageOf(TAGS.shipped)}
COPY failpoint.ts /app/dist/failpoint-on.ts
COPY mutants.ts /app/dist/mutants.ts
COPY package.json /app/dist/package.json
ENV NODE_OPTIONS=--conditions=failpoints INGOT_FAILPOINTS=${failpoints.join(',')}
`
}

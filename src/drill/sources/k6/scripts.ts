/** Reads the files of the load test for a ConfigMap: the scripts and the modules that they share with ingot. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { IngotError } from '../../../errors/error.ts'

const FILES = [
  'loadtests/*.ts',
  'loadtests/lib/*.ts',
  'src/drill/sources/k6/{plan,sample}.ts',
  'src/drill/spelling.ts',
  'src/std/random.ts',
]

/**
 * Returns file contents by their paths in the project. Throws IngotError INPUT_UNREADABLE if `root` is not a checkout.
 */
export function readScripts(root: string): Readonly<Record<string, string>> {
  const paths = globSync(FILES, { cwd: root }).toSorted()
  if (!paths.includes('loadtests/ingest.ts')) {
    throw new IngotError('INPUT_UNREADABLE', `there are no load tests in "${root}": run this in a checkout of ingot`)
  }
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

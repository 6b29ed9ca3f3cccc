/** Tests the programs of the chart without a cluster: the files of the image that they name, and what `helm test` prints. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CHART } from './helm.ts'
import { HELM_TEST_CHECKS } from './helm-test-checks.ts'

const ROOT = join(CHART, '..', '..')
const NAMED = /\bdist\/([\w/-]+)\.js\b/g

const named = globSync('{files,templates}/**/*.{mjs,sh,yaml,tpl}', { cwd: CHART }).flatMap((file) =>
  Array.from(readFileSync(join(CHART, file), 'utf8').matchAll(NAMED), ([, path = '']) => ({ file, path })),
)

test('the chart names files of the image', () => {
  expect(named.length).toBeGreaterThan(2)
})

test.each(named)('$file names $path, which has a source', ({ path }) => {
  expect(existsSync(join(ROOT, 'src', `${path}.ts`))).toBe(true)
})

test.each(HELM_TEST_CHECKS)('helm test checks: %s', (check) => {
  expect(readFileSync(join(CHART, 'files/test/installed.mjs'), 'utf8')).toContain(check)
})

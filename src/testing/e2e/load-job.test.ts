import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadManifest, scriptsOf } from './load-job.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')

test('the Job carries the script and everything that it imports', () => {
  const scripts = scriptsOf((path) => readFileSync(join(ROOT, path), 'utf8'))
  expect([...scripts.keys()]).toContain('loadtests/ingest.ts')
  expect([...scripts.keys()]).toContain('src/drill/k6/plan.ts')
  for (const path of scripts.keys()) expect(existsSync(join(ROOT, path))).toBe(true)
})

test('a file is mounted where the others look for it', () => {
  const files: Record<string, string> = {
    'loadtests/ingest.ts': "import { a } from './lib/a.ts'\nimport http from 'k6/http'",
    'loadtests/lib/a.ts': "import { b } from '../../src/b.ts'",
    'src/b.ts': '',
  }
  const options = {
    run: 'r',
    collection: 'c',
    rate: 20,
    maxSeconds: 60,
    timeoutMs: 2_000,
    baseUrl: 'http://ingot',
    tag: 'e2e',
    node: 'w3',
  }
  const text = JSON.stringify(
    loadManifest(
      'load-r',
      scriptsOf((path) => files[path] ?? ''),
      options,
    ),
  )
  expect(text).toContain('{"key":"loadtests__lib__a.ts","path":"loadtests/lib/a.ts"}')
  expect(text).toContain('"src__b.ts":""')
})

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reportOf } from '../../../../drill/report/verdict-text.ts'
import { findDocker } from '../../../containers.ts'
import { temporaryFolder } from '../../../folder.ts'
import { present } from '../../../present.ts'
import { tortureLong } from './long.ts'

const folder = temporaryFolder()
const MAX_MS = 150_000
const COMMON = { seed: 4, maxMs: MAX_MS, parts: 8, quietMs: 500, say: () => {} }

test('a run in parts is judged item by item and keeps every promise', async ({ skip }) => {
  present(await findDocker(), skip)
  const { verdict, figures } = await tortureLong({
    ...COMMON,
    items: 10_000,
    faults: ['replica-kill', 'store-kill', 'replica-stop'],
    folder: join(folder, 'valid'),
    signal: AbortSignal.timeout(280_000),
  })
  expect(verdict.kind, reportOf(verdict)).toBe('valid')
  expect(figures['acknowledged']).toBeGreaterThanOrEqual(10_000)
  // single requests, batches, streams, duplicates and deletions all occurred
  for (const name of ['save single created', 'save batch created', 'save stream created', 'save stream duplicate']) {
    expect(figures[name], name).toBeGreaterThan(0)
  }
  expect(figures['delete deleted']).toBeGreaterThan(0)
  // every acknowledged content was judged, in one part each
  expect(verdict.checks['nothing-lost']?.figures['acknowledged']).toBe(figures['acknowledged'])
  expect(existsSync(join(folder, 'valid', 'verdict.json'))).toBe(true)
})

test('a service that acknowledges before it commits is detected', async ({ skip }) => {
  present(await findDocker(), skip)
  const { verdict } = await tortureLong({
    ...COMMON,
    items: 12_000,
    faults: ['store-kill'],
    failpoints: ['commit/answer-before-commit'],
    folder: join(folder, 'sabotaged'),
    signal: AbortSignal.timeout(280_000),
  })
  expect(verdict.checks['nothing-lost'], reportOf(verdict)).toMatchObject({ kind: 'violated' })
  expect(verdict.kind).toBe('violated')
})

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FailpointName } from '../std/failpoint.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { runCrashProof } from '../testing/proofs/crash/proof.ts'
import { runSyncProof, whyNoStrace } from '../testing/proofs/crash/sync-proof.ts'

const root = temporaryFolder()
let folders = 0
const newFolder = (): string => join(root, `crash-${++folders}`)

describe('the service, killed at random moments', () => {
  // a new seed for each run; `npm run crash -- --seed N` repeats it with more rounds
  const seed = Math.floor(Math.random() * 2 ** 31)

  test(`keeps every acknowledged item exactly once (seed ${seed})`, async () => {
    const verdict = await runCrashProof({ data: newFolder(), rounds: 6, seed })
    expect(verdict).toMatchObject({ kind: 'pass', violations: [] })
  })

  test.each<[string, FailpointName]>([
    ['answers before COMMIT', 'sqlite/answer-before-commit'],
    ['has no unique index', 'sqlite/no-unique-index'],
  ])('is detected when it %s', async (_what, failpoint) => {
    const verdict = await runCrashProof({ data: newFolder(), rounds: 8, seed, failpoints: [failpoint] })
    expect(verdict.kind).toBe('fail')
  })
})

describe('the service, watched by strace', () => {
  const reason = whyNoStrace()

  test('strace is available on CI', () => {
    expect(process.env['CI'] === undefined ? undefined : reason).toBeUndefined()
  })

  test('syncs its log before it responds', async ({ skip }) => {
    if (reason !== undefined) skip(reason)
    const verdict = await runSyncProof({ folder: newFolder() })
    expect(verdict.problems).toEqual([])
    expect(verdict.responses).toBeGreaterThan(30)
  })

  test.for<[string, FailpointName]>([
    ['answers before COMMIT', 'sqlite/answer-before-commit'],
    ['does not sync', 'sqlite/no-sync'],
  ])('is detected when it %s', async ([, failpoint], { skip }) => {
    if (reason !== undefined) skip(reason)
    const verdict = await runSyncProof({ folder: newFolder(), failpoints: [failpoint] })
    expect(verdict.kind).toBe('fail')
  })
})

/** The compiler checks the code in LOCKS.md, so that readers can copy it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'
import { snippetsOf, typeErrors } from '../testing/documented-code.ts'

const markdown = readFileSync(join(ROOT, 'LOCKS.md'), 'utf8')

/** Declarations that the examples assume: the work, a log, and the results of earlier examples. */
const PRELUDE = `
const start: AbortSignal
const backend: import('ingot/lock').LockBackend
const fences: import('ingot/lock').FenceStore
const locker: import('ingot/lock').Locker
const log: { info(facts: object): void }
const report: string
function render(options: { readonly signal: AbortSignal }): Promise<void>
function schedule(options: { readonly signal: AbortSignal; readonly fence: bigint | undefined }): Promise<void>
function save(what: string, options: { readonly fence: bigint | undefined }): Promise<void>
`

describe('LOCKS.md', { timeout: 120_000 }, () => {
  test('every example compiles against the sources', () => {
    const snippets = snippetsOf(markdown)
    expect(snippets.length).toBeGreaterThanOrEqual(3)
    expect(typeErrors(snippets, PRELUDE)).toEqual([])
  })

  test('an example with a wrong call is reported with its line', () => {
    const wrong = snippetsOf(
      [
        '```ts',
        "import { createBreaker, withBreaker } from 'ingot/lock'",
        'withBreaker(createBreaker(), backend)',
        "locker.acquire('k', { waitSeconds: 5 })",
        '```',
        'text',
        '```ts',
        "import { createLock } from 'ingot/lock'",
        'nowhere()',
        '```',
      ].join('\n'),
    )
    const lines = typeErrors(wrong, PRELUDE).map((error) => Number.parseInt(error, 10))
    expect([...new Set(lines)].toSorted((a, b) => a - b)).toEqual([3, 4, 8, 9])
  })
})

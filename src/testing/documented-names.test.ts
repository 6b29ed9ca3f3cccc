/** Tests that names in the documents exist: npm scripts, metrics, fail points and log messages. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const textOf = (pattern: string): string => globSync(pattern, { cwd: ROOT }).map(read).join('\n')

const DOCUMENTS = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/*.md', { cwd: ROOT })].toSorted()
const PROSE = DOCUMENTS.map((name) => read(name)).join('\n')

/** Returns the distinct first groups of all matches. */
function found(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))]
}

/** Returns the names that `exists` refuses. */
const missing = (names: readonly string[], exists: (name: string) => boolean): readonly string[] =>
  names.filter((name) => !exists(name))

describe('names in the documents', () => {
  test('every npm script exists', () => {
    const scripts = found(read('package.json'), /^ {4}"([\w:-]+)": /gm)
    const names = found(PROSE, /npm run ([a-z][\w:-]*)/g)
    expect(names.length).toBeGreaterThan(10)
    expect(missing(names, (name) => scripts.includes(name))).toEqual([])
  })

  test('every metric exists', () => {
    const sources = textOf('src/**/*.ts')
    const names = found(PROSE, /`(ingot_(?!put|look)\w+)(?:\{[^`]*)?`/g)
    expect(names.length).toBeGreaterThan(8)
    expect(missing(names, (name) => sources.includes(`'${name}'`))).toEqual([])
  })

  test('every fail point that GUARANTEES.md names as a mutation exists', () => {
    const points = found(textOf('src/std/failpoint.ts'), /'([a-z]+\/[a-z-]+)'/g)
    const folders = new Set(points.map((point) => point.split('/')[0]))
    const names = found(read('GUARANTEES.md'), /`([a-z]+\/[a-z-]+)`/g).filter((name) => folders.has(name.split('/')[0]))
    expect(names.length).toBeGreaterThan(5)
    expect(missing(names, (name) => points.includes(name))).toEqual([])
  })

  test('every log message that RUNBOOK.md quotes is in a script of the chart', () => {
    const scripts = textOf('charts/ingot/files/redis/*.sh').replaceAll(/\$\{?[\w]+(?:[^\s'"}]*\})?/g, '…')
    const quotes = found(read('RUNBOOK.md').replaceAll(/\s+/g, ' '), / _([^_`]{12,}?)_[\s.:,;(]/g)
    const isLogged = (quote: string): boolean =>
      quote
        .replaceAll(/\d+/g, '…')
        .split('…')
        .every((part) => scripts.includes(part.trim()))
    expect(quotes.length).toBeGreaterThan(5)
    expect(missing(quotes, isLogged)).toEqual([])
    expect(isLogged('another pod still uses that volume')).toBe(false)
  })
})

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CONFIG_KEYS, CONFIG_SCHEMA, environmentName } from './schema.ts'

/** Returns name and default of every setting in the tables of docs/settings.md. A row may describe several. */
function documented(): Map<string, string> {
  const text = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `INGOT_'))
  const cellsOf = (cell = ''): string[] => cell.split(',').map((part) => part.trim().replaceAll('`', ''))
  const settings = rows.flatMap((row) => {
    const [, names, defaults] = row.split('|')
    return cellsOf(names).map((name, at) => [name, cellsOf(defaults)[at] ?? ''] as const)
  })
  return new Map(settings)
}

test('docs/settings.md has exactly one row for every setting, with its default', () => {
  const properties: Readonly<Record<string, object>> = CONFIG_SCHEMA.properties
  const defaultOf = (property: object = {}): string => ('default' in property ? String(property.default) : '–')
  const settings = CONFIG_KEYS.map((key) => [environmentName(key), defaultOf(properties[key])] as const)
  expect(Object.fromEntries(documented())).toEqual(Object.fromEntries(settings))
})

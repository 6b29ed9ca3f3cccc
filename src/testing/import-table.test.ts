/** ARCHITECTURE.md shows the import table that `npm run check` enforces. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'

interface Rules {
  readonly forbidden: readonly { readonly name: string; readonly to: { readonly pathNot?: string } }[]
}

/** Returns each folder of the enforced table with what it may import beside itself. */
function enforced(): Record<string, readonly string[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a CommonJS file without types; a wrong shape fails below
  const { forbidden } = createRequire(import.meta.url)(join(ROOT, '.dependency-cruiser.cjs')) as Rules
  const rooms = forbidden.flatMap(({ name, to }) => {
    const [, room] = /^room-(.+)$/.exec(name) ?? []
    const [, list = ''] = /^\^src\/\((.*)\)\/$/.exec(to.pathNot ?? '') ?? []
    return room === undefined ? [] : [[room, list.split('|').filter((folder) => folder !== room)] as const]
  })
  return Object.fromEntries(rooms)
}

/** Returns the same table as ARCHITECTURE.md shows it. */
function documented(): Record<string, readonly string[]> {
  const [, section = ''] = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').split('\n## Imports\n')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  const namesOf = (cell = ''): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
  return Object.fromEntries(
    rows.map((row) => row.split('|')).map(([, room, list]) => [namesOf(room)[0] ?? '', namesOf(list)]),
  )
}

test('ARCHITECTURE.md shows the import table as it is enforced', () => {
  expect(Object.keys(enforced()).length).toBeGreaterThan(10)
  expect(documented()).toEqual(enforced())
})

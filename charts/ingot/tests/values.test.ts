/** Tests that values.yaml of both charts, which is also the documentation, has every value of the schema and comments. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isMap, parseDocument, type YAMLMap } from 'yaml'
import { CHART } from './helm.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
}

/** Settings whose defaults are in the service, and old names of values. */
const UNLISTED: Readonly<Record<string, RegExp>> = {
  ingot:
    /^(service\.config\..*|replicaCount|autoscaling|config|extraEnv|resources|affinity|topologySpread|podDisruptionBudget|redis\.external)$/,
}

function paths({ properties: parts }: Schema, path: readonly string[] = []): string[] {
  return Object.entries(parts ?? {}).flatMap(([name, part]) => [
    [...path, name].join('.'),
    ...paths(part, [...path, name]),
  ])
}

/** Values that need no comment, because their name or their section explains them. */
const OF_COURSE = new Set(
  'enabled minReplicas maxReplicas repository tag pullPolicy existingSecret key size className storage requests limits cpu memory resources image annotations podAnnotations nodeSelector tolerations affinity priorityClassName port server cli'.split(
    ' ',
  ),
)

interface Value {
  readonly path: string
  readonly comment: string | undefined
}

/** Returns the comments. The one above the first key of a map belongs to the map. */
function values({ items, commentBefore }: YAMLMap, path: readonly string[] = []): Value[] {
  return items.flatMap(({ key, value }, n) => {
    const { value: name, commentBefore: own } = key as { value: string; commentBefore?: string }
    const here = [...path, name]
    const inner = isMap(value) ? values(value, here) : []
    const comment = own ?? (n === 0 ? (commentBefore ?? undefined) : undefined)
    // its values explain a map inside a map
    return inner.length > 0 && path.length > 0 ? inner : [{ path: here.join('.'), comment }, ...inner]
  })
}

describe.each([['ingot'], ['ingot-operator']])('of the chart %s', (chart) => {
  const folder = join(CHART, '..', chart)
  const document = parseDocument(readFileSync(join(folder, 'values.yaml'), 'utf8'))
  const { properties = {} } = JSON.parse(readFileSync(join(folder, 'values.schema.json'), 'utf8')) as Schema

  test.each(paths({ properties }).filter((path) => !UNLISTED[chart]?.test(path)))('values.yaml has %s', (path) => {
    expect(document.hasIn(path.split('.'))).toBe(true)
  })

  const documented = values(document.contents as YAMLMap).filter(
    ({ path }) => !OF_COURSE.has(path.split('.').at(-1) ?? '') || !path.includes('.'),
  )

  test.each(documented.map((value) => [value.path, value.comment] as const))(
    'a comment says what %s is',
    (path, comment) => {
      // the comment of the first section is at the start of the document
      const [first] = documented
      expect(comment ?? (path === first?.path ? document.commentBefore : undefined)).toMatch(/\w+ \w+/)
    },
  )
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONFIG_KEYS, environmentName } from './schema.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

describe('the table of settings in the README', () => {
  it.each(CONFIG_KEYS.map(environmentName))('explains %s', (name) => {
    expect(readme).toContain(`\`${name}\``)
  })
})

/**
 * The tokens file: who may do what. It holds SHA-256 hashes of tokens, so that reading it gives nobody access.
 *
 *   { "tokens": [ { "name": "loader", "sha256": "<64 hex>", "collections": { "orders": ["read", "write"] } } ] }
 *
 * The collection "*" stands for every one.
 */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { Fault } from '../std/fault.ts'
import { readJsonSetting } from './file.ts'

const RIGHTS = ['read', 'write', 'delete'] as const

const TOKENS_SCHEMA = Type.Object(
  {
    tokens: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 64 }),
          sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
          collections: Type.Record(Type.String(), Type.Array(Type.Enum(RIGHTS))),
        },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
  },
  { additionalProperties: false },
)

export type TokenEntry = Static<typeof TOKENS_SCHEMA>['tokens'][number]

/** Throws Fault CONFIG_INVALID that names the file and every entry that is wrong. */
export function loadTokens(file: string): readonly TokenEntry[] {
  const parsed = readJsonSetting('INGOT_TOKENS_FILE', file)
  const problems = Value.Errors(TOKENS_SCHEMA, parsed).map((error) => `${error.instancePath || '/'}: ${error.message}`)
  if (problems.length > 0) {
    throw new Fault('CONFIG_INVALID', `INGOT_TOKENS_FILE: "${file}" is wrong:\n  ${problems.join('\n  ')}`)
  }
  const { tokens } = Value.Parse(TOKENS_SCHEMA, parsed)
  refuseRepeats(file, tokens)
  return tokens
}

function refuseRepeats(file: string, tokens: readonly TokenEntry[]): void {
  for (const member of ['name', 'sha256'] as const) {
    const values = tokens.map((token) => token[member])
    const repeated = values.find((value, index) => values.indexOf(value) !== index)
    if (repeated !== undefined) {
      throw new Fault('CONFIG_INVALID', `INGOT_TOKENS_FILE: "${file}" has the ${member} "${repeated}" twice`)
    }
  }
}

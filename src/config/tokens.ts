/**
 * The tokens file: callers and their rights. It contains SHA-256 hashes of tokens, so reading it gives no access.
 *
 *   { "tokens": [ { "name": "loader", "sha256": "<64 hex>", "collections": { "orders": ["read", "write"] } } ] }
 *
 * The collection "*" stands for every collection.
 */
import { createHash } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError } from '../errors/error.ts'
import { readJsonSetting } from './file.ts'

const RIGHTS = ['read', 'write', 'delete', 'observe'] as const

const TOKENS_SCHEMA = Type.Object(
  {
    tokens: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 64 }),
          sha256: Type.String(),
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

/**
 * Returns the entries of the tokens file. `collectionName` is the form of a collection's name. Throws IngotError
 * CONFIG_INVALID that names the file, every wrong entry, and every entry that could never match.
 */
export function loadTokens(file: string, collectionName: RegExp): readonly TokenEntry[] {
  const parsed = readJsonSetting('INGOT_TOKENS_FILE', file)
  refuseIfAny(
    file,
    Value.Errors(TOKENS_SCHEMA, parsed).map((error) => `${error.instancePath || '/'}: ${error.message}`),
  )
  const { tokens } = Value.Parse(TOKENS_SCHEMA, parsed)
  refuseIfAny(
    file,
    tokens.flatMap((token, at) => [
      ...hashProblems(token.sha256).map((problem) => `/tokens/${at}/sha256: ${problem}`),
      ...collectionProblems(token, collectionName).map((problem) => `/tokens/${at}/collections: ${problem}`),
    ]),
  )
  refuseRepeats(file, tokens)
  return tokens
}

function refuseIfAny(file: string, problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new IngotError('CONFIG_INVALID', `INGOT_TOKENS_FILE: "${file}" is wrong:\n  ${problems.join('\n  ')}`)
}

/** Digests that a command produces if it hashes nothing instead of a token. No bearer token is empty or a line end. */
const EMPTY_DIGESTS: ReadonlySet<string> = new Set(
  ['', '\n', '\r\n'].map((text) => createHash('sha256').update(text).digest('hex')),
)

function hashProblems(sha256: string): string[] {
  if (!/^[0-9a-fA-F]*$/.test(sha256)) return ['a SHA-256 hash has only hex digits: put the hash here, never the token']
  if (sha256.length !== 64) return [`has ${sha256.length} hex digits, a SHA-256 hash has 64`]
  if (sha256 !== sha256.toLowerCase()) return ['write the hash in lower case']
  return EMPTY_DIGESTS.has(sha256) ? ['is the hash of an empty text, which no request can send as its token'] : []
}

function collectionProblems({ collections }: TokenEntry, collectionName: RegExp): string[] {
  return Object.keys(collections)
    .filter((key) => key !== '*' && !collectionName.test(key))
    .map((key) =>
      key.includes('*')
        ? `"${key}" would never match: "*" stands only alone, for every collection`
        : `"${key}" would never match: a collection's name is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit`,
    )
}

function refuseRepeats(file: string, tokens: readonly TokenEntry[]): void {
  for (const member of ['name', 'sha256'] as const) {
    const values = tokens.map((token) => token[member])
    const repeated = values.find((value, index) => values.indexOf(value) !== index)
    if (repeated !== undefined) {
      throw new IngotError('CONFIG_INVALID', `INGOT_TOKENS_FILE: "${file}" has the ${member} "${repeated}" twice`)
    }
  }
}

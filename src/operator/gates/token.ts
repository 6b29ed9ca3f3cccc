/** Bearer tokens of the gates. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { IngotError, reasonOf } from '../../errors/error.ts'

export type Access = 'allowed' | 'refused'

export interface TokenCheck {
  /** Resolves with the access of a header `Authorization`. Rejects with CONFIG_INVALID if the file cannot be used. */
  check(authorization: string | undefined): Promise<Access>
}

/** Allows everybody. */
export const NO_TOKEN: TokenCheck = { check: async () => 'allowed' }

/**
 * Returns the check of the tokens in this file, one per line, so that a token can be replaced while clients still send
 * the old one. The file is read for each request, because Kubernetes replaces it while the pod runs.
 */
export function tokensOf(path: string): TokenCheck {
  return {
    async check(authorization) {
      const tokens = await readTokens(path)
      const [, sent] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
      if (sent === undefined) return 'refused'
      // compares with each token, so that the time does not depend on which one matches
      const matches = tokens.map((token) => timingSafeEqual(digestOf(token), digestOf(sent)))
      return matches.includes(true) ? 'allowed' : 'refused'
    },
  }
}

async function readTokens(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw unusable(`cannot be read: ${reasonOf(cause)}`, cause)
  })
  const tokens = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]))
  if (tokens.length === 0) throw unusable('has no token')
  return tokens
}

/** Digests have one length, which `timingSafeEqual` needs. */
const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()

function unusable(what: string, cause?: unknown): IngotError {
  return new IngotError('CONFIG_INVALID', `the file of INGOT_GATES_TOKEN_FILE ${what}`, { cause })
}

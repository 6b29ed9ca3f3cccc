/** The address of the service and its access control. Pure, except for reading the tokens file. */
import type { Config } from '../config/schema.ts'
import { loadTokens } from '../config/tokens.ts'
import { IngotError } from '../errors/error.ts'
import { type Authenticate, openAccess, tokenAccess } from '../http/access.ts'
import { COLLECTION_NAME_PATTERN } from '../items/item.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Returns host and port of INGOT_LISTEN. Throws IngotError CONFIG_INVALID if the port is above 65535. */
export function listenAddressOf(config: Config): ListenAddress {
  const at = config.listen.lastIndexOf(':')
  const port = Number(config.listen.slice(at + 1))
  if (port > 65_535) {
    throw new IngotError(
      'CONFIG_INVALID',
      `INGOT_LISTEN is "${config.listen}": there is no port ${port}, use 0 to 65535`,
    )
  }
  return { host: config.listen.slice(0, at).replaceAll(/[[\]]/g, ''), port }
}

/**
 * Returns the authentication of requests. Without a tokens file the service admits only its own machine, unless
 * `INGOT_ACCESS=off` admits everyone. Throws IngotError CONFIG_INVALID if other machines can reach the address.
 */
export function accessOf(config: Config): Authenticate {
  if (config.access === 'off') return openAccess
  if (config.tokensFile !== undefined)
    return tokenAccess(loadTokens(config.tokensFile, new RegExp(COLLECTION_NAME_PATTERN)))
  if (isLoopback(listenAddressOf(config).host)) return openAccess
  throw new IngotError(
    'CONFIG_INVALID',
    `INGOT_LISTEN is "${config.listen}", which others can reach, and there is no INGOT_TOKENS_FILE; name one, or set INGOT_ACCESS=off to admit everyone`,
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

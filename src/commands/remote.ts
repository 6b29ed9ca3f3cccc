/** Options for the address of a service and the token for it. */
import type { Service } from '../client/connection.ts'
import { clientSettings } from '../config/client.ts'
import { readSettingFile } from '../config/file.ts'
import { IngotError } from '../errors/error.ts'
import { usageError } from './line/command.ts'

export const TOKEN_OPTION = {
  'token-file': {
    type: 'string',
    value: 'FILE',
    summary: 'file with the bearer token; default: the environment variable INGOT_TOKEN',
  },
} as const

/** Returns the service. Throws IngotError USAGE_INVALID, CONFIG_INVALID. */
export function serviceOf(option: string, url: string, tokenFile: string | undefined): Service {
  return { url: parseUrl(`--${option}`, url), token: tokenOf(tokenFile) }
}

/** Returns the service at an address that is an argument. Throws IngotError USAGE_INVALID, CONFIG_INVALID. */
export function serviceAt(url: string, tokenFile: string | undefined): Service {
  return { url: parseUrl('URL', url), token: tokenOf(tokenFile) }
}

/** Returns the token in the file; without a file, that of the environment. Throws IngotError CONFIG_INVALID. */
export function tokenOf(file: string | undefined): string | undefined {
  return file === undefined ? clientSettings().token : readToken(file)
}

function parseUrl(name: string, text: string): URL {
  const url = URL.parse(text)
  const port = /^https?:\/\/[^/?#]*:(\d+)(?=[/?#]|$)/.exec(text)?.[1]
  if (url === null && port !== undefined && Number(port) > 65_535) {
    throw usageError(`${name} names port ${port}, but the highest port is 65535`)
  }
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageError(`${name} is "${text}", write an address such as http://127.0.0.1:8080`)
  }
  const [whole, before] = /^(.*)\/v1(\/.*)?$/.exec(url.pathname) ?? []
  if (whole !== undefined) {
    throw usageError(
      `${name} contains the path of the API, write ${url.origin}${before ?? ''}: /v1 and the rest are added`,
    )
  }
  return url
}

function readToken(file: string): string {
  const token = readSettingFile('--token-file', file).trim()
  // one visible word: anything else would be refused, or be read as another header
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new IngotError(
    'CONFIG_INVALID',
    `--token-file: "${file}" does not contain exactly one token in visible ASCII characters`,
  )
}

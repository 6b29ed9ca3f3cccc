/** Parses `zookeeper://[user:password@]host[:2181],…[/root]`, or with TLS `zookeepers://…?ca=FILE&cert=FILE&key=FILE`. */
import { IngotError } from '../../../errors/error.ts'
import { parseDurationMs } from '../../../std/duration.ts'
import { parseServiceUrl, readTlsFiles, type ServiceAddress, type TlsFiles } from '../../service-url.ts'

export interface LockUrl {
  readonly servers: readonly ServiceAddress[]
  readonly tls: TlsFiles | undefined
  /** `user:password` of the digest scheme. */
  readonly credentials: string | undefined
  /** The node above all queues. */
  readonly base: string
  /** Length of the session that is asked for, in milliseconds. */
  readonly ms: number
}

const PORT = 2_181
const DEFAULT_SESSION_MS = 20_000
const MIN_SESSION_MS = 1_000
const MAX_SESSION_MS = 3_600_000
const ROOT = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/

/** Returns the parts of the URL. Throws `CONFIG_INVALID`, or `LOCK_TLS_FAILED` for a file that is unreadable. */
export function parseLockUrl(url: string): LockUrl {
  const { servers, user, password, path, parameters } = parseServiceUrl(url, PORT, ['session', 'ca', 'cert', 'key'])
  const root = path === '' ? 'ingot' : path.replace(/\/$/, '')
  if (!ROOT.test(root)) throw new IngotError('CONFIG_INVALID', `the lock URL has no valid root: "/${path}"`)
  return {
    servers,
    tls: url.startsWith('zookeepers:') ? readTlsFiles(parameters) : undefined,
    credentials: user === undefined ? undefined : `${user}:${password}`,
    base: `/${root}/locks`,
    ms: sessionMs(parameters.get('session')),
  }
}

function sessionMs(text: string | undefined): number {
  const ms = text === undefined ? DEFAULT_SESSION_MS : parseDurationMs(text)
  if (ms !== undefined && ms >= MIN_SESSION_MS && ms <= MAX_SESSION_MS) return Math.round(ms)
  throw new IngotError('CONFIG_INVALID', 'the lock URL has no valid session, which is a time from 1s to 1h')
}

/** `ingot lock`: runs a command under a distributed lock. */
import { clientSettings } from '../../config/client.ts'
import { LOCK_URLS, SHARED_LOCK_URLS } from '../../lock/registry.ts'
import { describeForms, formOf } from '../../std/url-form.ts'
import { defineCommand, usageError } from '../line/command.ts'
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts'
import { inspectLock } from './inspect.ts'
import { runLocked } from './run.ts'
import type { LockService } from './service.ts'
import { leaseOptionsOf, waitOf } from './terms.ts'

export const lock = defineCommand({
  positionals: ['KEY'],
  rest: 'COMMAND…',
  help: `
Waits for the lock KEY, runs COMMAND while it holds the lock, and releases it. No other process that uses the same lock
service and key runs its command at the same time. The lock is a lease, which is renewed while COMMAND runs.

If the lease cannot be renewed, the process group of COMMAND gets SIGTERM when --grace is left of it, and SIGKILL before
another can hold the lock. COMMAND has INGOT_LOCK_KEY and INGOT_LOCK_FENCE in its environment. The fence is greater than
that of each earlier holder; pass it to the store that COMMAND writes to. It is absent if the service has no fences.

TERM, HUP, INT, QUIT, USR1 and USR2 reach COMMAND. While ingot waits, they end the wait. The lock service is
INGOT_LOCK_URL, its fence store INGOT_LOCK_FENCES: see LOCKS.md. One attempt to connect takes up to 5 s.
docs/lock-command.md compares this command with flock, etcdctl lock and consul lock.`,
  examples: [
    'INGOT_LOCK_URL=redis://127.0.0.1:6379 ingot lock nightly-report -- ./report.sh --all',
    'ingot lock backup --no-wait --ttl 1m -- pg_dump shop -f /backup/shop.sql',
    'ingot lock --inspect nightly-report',
  ],
  options: {
    wait: { type: 'string', short: 'w', value: 'TIME', summary: 'longest wait, such as 40s (default: until granted)' },
    'no-wait': { type: 'boolean', short: 'n', summary: 'try once' },
    ttl: { type: 'string', value: 'TIME', summary: 'length of the lease (default: 30s, or the limit of the service)' },
    grace: {
      type: 'string',
      value: 'TIME',
      summary: 'rest of the lease at which COMMAND is stopped (default: 5s, at most ttl/4)',
    },
    url: { type: 'string', value: 'URL', summary: 'lock service (default: INGOT_LOCK_URL)' },
    fences: { type: 'string', value: 'URL', summary: 'fence store (default: INGOT_LOCK_FENCES)' },
    inspect: { type: 'boolean', summary: 'show whether KEY is held, and run nothing' },
    json: { type: 'boolean', summary: 'with --inspect: print JSON' },
  },
  exitCodes: EXIT_CODES,
  failed: exitCodeOf,
  async run({ values, positionals: [key = ''], rest }, io) {
    const service = serviceOf(values)
    if (values.inspect) {
      if (rest !== undefined) throw usageError('--inspect runs no command: leave out -- and what follows it')
      return inspectLock({ ...service, fencesUrl: undefined }, key, values.json, io)
    }
    if (values.json) throw usageError('--json has an effect only with --inspect')
    const [program, ...args] = rest ?? []
    if (program === undefined) throw usageError('COMMAND is missing: write it after --')
    const wait = waitOf(values.wait, values['no-wait'])
    const lease = leaseOptionsOf(values.ttl, values.grace)
    return runLocked({ service, key, wait, lease, command: [program, ...args] }, io)
  },
})

function serviceOf(values: { readonly url: string | undefined; readonly fences: string | undefined }): LockService {
  const settings = clientSettings()
  const url = values.url ?? settings.lockUrl
  if (url === undefined) throw usageError('neither --url URL nor INGOT_LOCK_URL is set')
  const isShared = formOf(url, SHARED_LOCK_URLS) !== undefined
  if (!isShared && formOf(url, LOCK_URLS) !== undefined) {
    throw usageError(`other processes do not see the locks of ${url}: use ${describeForms(SHARED_LOCK_URLS)}`)
  }
  const fencesUrl = values.fences ?? settings.lockFences
  if (fencesUrl?.startsWith('memory:') === true) {
    throw usageError('the fence store memory: begins again in each process: use sqlite:FILE or postgres://…')
  }
  return { url, fencesUrl, directUrl: settings.lockDirectUrl }
}

/** `ingot check`: judges a history and the final content of its store. */

import { checkersOf } from '../drill/checkers/all.ts'
import { hasCanary } from '../drill/checkers/canary.ts'
import type { FinalStore } from '../drill/checkers/final-store.ts'
import { hasLoad } from '../drill/checkers/load.ts'
import { judge, type Verdict } from '../drill/checkers/verdict.ts'
import { readAuditLog } from '../drill/final-store/audit-log.ts'
import { readPostgresStore } from '../drill/final-store/postgres.ts'
import { readSqliteStore } from '../drill/final-store/sqlite.ts'
import { readHistory } from '../drill/history.ts'
import { reportOf } from '../drill/report/verdict-text.ts'
import { readSqliteRegister } from '../drill/workloads/sqlite-register.ts'
import { IngotError } from '../errors/error.ts'
import { createPostgres } from '../postgres/pool.ts'
import { defineCommand, durationOption, EXIT, type ExitCode, usageError } from './line/command.ts'

/** Deadline for reading a store, in milliseconds. */
const READ_MS = 300_000

const EXIT_OF: Readonly<Record<Verdict['kind'], ExitCode>> = {
  valid: EXIT.fine,
  violated: EXIT.failed,
  inconclusive: EXIT.inconclusive,
}

export const check = defineCommand({
  help: `
Judges a history of operations and the final content of the store. It reads the store directly, not through the
service. It checks that no acknowledged item is lost, nothing is stored twice, every response was true, fences rose,
and the service recovered. Each promise gets its own verdict, and the worst one is the result. A counterexample is
shown with its operations.

Exit code 0 valid, 1 violated, 3 inconclusive: no violation was found, but something could not be judged.`,
  examples: [
    'ingot check --history out/torture/7/history.ndjson --store http://127.0.0.1:9090/audit',
    'ingot check --history history.ndjson --store sqlite:./data --json',
  ],
  options: {
    history: { type: 'string', value: 'FILE', summary: 'the history, NDJSON', required: true },
    store: {
      type: 'string',
      value: 'URL',
      summary: 'sqlite:FOLDER, postgres://..., audit:FILE, or the http address of an audit log',
      required: true,
    },
    register: { type: 'string', value: 'FILE', summary: 'the register that was written under locks' },
    fencing: { type: 'string', value: 'on|off', summary: 'whether the backend refuses stale fences', default: 'on' },
    recovery: { type: 'string', value: 'TIME', summary: 'longest recovery after the last fault', default: '30s' },
    collection: {
      type: 'string',
      short: 'c',
      value: 'NAME',
      summary: 'judge only this collection of the store',
    },
    faults: { type: 'string', value: 'on|off', summary: 'off: the run injected no faults', default: 'on' },
    'redis-loss': {
      type: 'string',
      value: 'allow|forbid',
      summary: 'whether Redis may lose acknowledged writes',
      default: 'allow',
    },
    json: { type: 'boolean', summary: 'the verdict as one JSON object' },
  },
  async run({ values }, io) {
    const { events, torn, final } = await readAll(values).catch(nothingJudged)
    const recoveryMs = durationOption('recovery', values.recovery)
    const faults = onOrOff('faults', values.faults) === 'on'
    const locks = final.register !== undefined
    const parts = { load: hasLoad(events), canary: hasCanary(events), locks }
    const redisLoss = redisLossOf(values['redis-loss'])
    const verdict = judge(checkersOf({ recoveryMs, ...parts, faults, redisLoss }), events, final)
    if (values.json) io.stdout.write(`${JSON.stringify({ events: events.length, torn, ...verdict })}\n`)
    else io.stdout.write(reportOf(verdict))
    return EXIT_OF[verdict.kind]
  },
})

interface Sources {
  readonly history: string
  readonly store: string
  readonly register: string | undefined
  readonly fencing: string
  readonly collection: string | undefined
}

async function readAll({ history, store, register, fencing, collection }: Sources) {
  const { events, torn } = readHistory(history)
  const final = only(collection, await readStore(store, onOrOff('fencing', fencing)))
  return { events, torn, final: register === undefined ? final : { ...final, register: readSqliteRegister(register) } }
}

/**
 * Keeps only the rows of that collection. The history must be of the same collection: items of another one would look
 * lost.
 */
function only(collection: string | undefined, final: FinalStore): FinalStore {
  if (collection === undefined) return final
  const isOf = (row: { readonly collection: string }): boolean => row.collection === collection
  return {
    ...final,
    rows: final.rows.filter(isOf),
    ...(final.saves === undefined ? {} : { saves: final.saves.filter(isOf) }),
  }
}

/** Turns an unreadable input into a usage error, because exit code 1 means a violation. */
function nothingJudged(thrown: unknown): never {
  if (thrown instanceof IngotError && thrown.code === 'INPUT_UNREADABLE') throw usageError(thrown.message)
  throw thrown
}

function onOrOff(name: string, text: string): 'on' | 'off' {
  if (text === 'on' || text === 'off') return text
  throw usageError(`--${name} is "${text}", write on or off`)
}

function redisLossOf(text: string): 'allow' | 'forbid' {
  if (text === 'allow' || text === 'forbid') return text
  throw usageError(`--redis-loss is "${text}", write allow or forbid`)
}

async function readStore(url: string, fencing: 'on' | 'off'): Promise<FinalStore> {
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(url) ?? []
  const signal = AbortSignal.timeout(READ_MS)
  switch (scheme) {
    case 'sqlite':
      return readSqliteStore(rest)
    case 'audit':
      return readAuditLog(rest, fencing, signal)
    case 'http':
    case 'https':
      return readAuditLog(url, fencing, signal)
    case 'postgres':
    case 'postgresql':
      return readPostgres(url, signal)
    default:
      throw usageError(`--store is "${url}", write sqlite:FOLDER, postgres://..., audit:FILE or an http address`)
  }
}

async function readPostgres(url: string, signal: AbortSignal): Promise<FinalStore> {
  await using postgres = createPostgres({ url, errorCode: 'INPUT_UNREADABLE', connections: 1, timeoutMs: READ_MS })
  return await readPostgresStore(async (sql) => (await postgres.query(sql, [], signal)).rows)
}

/** `ingot status`: shows the state of a running service. */
import { text } from 'node:stream/consumers'
import { connect } from '../client/connection.ts'
import { IngotError } from '../errors/error.ts'
import { defineCommand, EXIT, type ExitCode } from './line/command.ts'
import { serviceAt, TOKEN_OPTION } from './remote.ts'

/** Time limit of the request, in milliseconds. The service itself waits up to 2 s for its store. */
const REQUEST_MS = 10_000

/** Longest response that is shown, in characters. A status has at most 200 locks. */
const MAX_LENGTH = 4_194_304

export const status = defineCommand({
  positionals: ['URL'],
  help: `
Shows the state of the service at an address: its version, store and epoch, waiting items, circuit breakers, and the
locks that it holds and waits for. Behind a load balancer, that is the state of one replica. The token needs the
right observe for every collection ("*").

Exit code 0 if the service accepts requests and its store is available, otherwise 1.`,
  examples: ['ingot status http://127.0.0.1:8080', 'ingot status https://ingot.example --token-file token --json'],
  options: {
    ...TOKEN_OPTION,
    json: { type: 'boolean', summary: 'the state as one JSON object, as the API returns it' },
  },
  async run({ values, positionals: [url = ''] }, io): Promise<ExitCode> {
    const service = serviceAt(url, values['token-file'])
    const connection = connect(service, { method: 'GET', path: '/v1/status', headers: { accept: 'application/json' } })
    const signal = AbortSignal.any([io.signal, AbortSignal.timeout(REQUEST_MS)])
    try {
      connection.request.end()
      const body = await text(await connection.response(signal))
      const state = parseState(body)
      io.stdout.write(values.json ? `${JSON.stringify(state)}\n` : describe(state))
      return isHealthy(state) ? EXIT.fine : EXIT.failed
    } finally {
      connection.close()
    }
  },
})

type State = Readonly<Record<string, unknown>>

function parseState(body: string): State {
  const value = body.length > MAX_LENGTH ? undefined : parsed(body)
  if (isObject(value) && isObject(value['store']) && typeof value['state'] === 'string') return value
  throw new IngotError('REMOTE_REFUSED', 'the response is not the status of an ingot service: check the URL')
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // any other text is no status
    return undefined
  }
}

function isObject(value: unknown): value is State {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const partOf = (state: State, name: string): State => {
  const part = state[name]
  return isObject(part) ? part : {}
}

function isHealthy(state: State): boolean {
  return state['state'] === 'serving' && partOf(state, 'store')['available'] === true
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '?' : JSON.stringify(value)
}

function describe(state: State): string {
  const store = partOf(state, 'store')
  const pending = partOf(state, 'pending')
  const breakers = Object.entries(partOf(state, 'breakers'))
  const rows: (readonly [string, string])[] = [
    ['state', shown(state['state'])],
    ['version', `${shown(state['version'])}, started ${shown(state['started'])}`],
    ['store', `${shown(store['kind'])}, ${store['available'] === true ? 'available' : 'not available'}`],
    ...(store['epoch'] === undefined ? [] : [['epoch', shown(store['epoch'])] as const]),
    ...poolRows(partOf(store, 'pool')),
    ['pending', `${shown(pending['items'])} of ${shown(pending['maxItems'])} items, ${shown(pending['bytes'])} bytes`],
    ...breakers.map(([name, breaker]) => ['breaker', `${name} ${shown(breaker)}`] as const),
    ...lockRows(partOf(state, 'locks')),
  ]
  return rows.map(([title, value]) => `${title.padEnd(9)}${value}\n`).join('')
}

function poolRows({ used, limit, waiting }: State): readonly (readonly [string, string])[] {
  if (used === undefined) return []
  return [['pool', `${shown(used)} of ${shown(limit)} connections in use, ${shown(waiting)} calls wait`]]
}

function lockRows(locks: State): readonly (readonly [string, string])[] {
  if (locks['heldCount'] === undefined) return [['locks', 'none are used']]
  return [
    ['locks', `${shown(locks['heldCount'])} held, ${shown(locks['waitingCount'])} waiting`],
    ...objectsOf(locks['held']).map((held) => {
      const fence = held['fence'] === undefined ? '' : `, fence ${shown(held['fence'])}`
      const times = `held for ${shown(held['ageMs'])} ms, ${shown(held['remainingMs'])} of ${shown(held['ttlMs'])} ms left`
      return ['', `${shown(held['key'])}: ${times}${fence}`] as const
    }),
    ...objectsOf(locks['waiting']).map(
      (waiting) => ['', `${shown(waiting['keys'])}: waits for ${shown(waiting['ageMs'])} ms`] as const,
    ),
  ]
}

function objectsOf(list: unknown): readonly State[] {
  return Array.isArray(list) ? list.filter(isObject) : []
}

/** Reads the settings of a load test: `k6 run -e NAME=value`. Invalid values stop it before it sends anything. */

export interface Settings {
  readonly baseUrl: string
  readonly collection: string
  /** Name of the run. It determines the contents, so an earlier name sends the earlier contents again. */
  readonly run: string
  /** Iterations per second. Even, because iterations come in pairs. */
  readonly rate: number
  readonly durationMs: number
  /** Time-out of one request, in milliseconds. After it, the outcome is unknown. */
  readonly timeoutMs: number
  readonly token: string
  /** `load` sends items, `settle` sends all of them again afterwards. */
  readonly parts: readonly string[]
  /** Consecutive phases of the load, by name. The last one lasts to the end. */
  readonly phases: readonly Phase[]
  /** Largest 99th percentile outside the phase `fault`, in milliseconds. */
  readonly p99Ms: number
  /** Largest share of failed requests outside the phase `fault`. */
  readonly errors: number
}

export interface Phase {
  readonly name: string
  readonly lengthMs: number
}

type Defaults = Pick<Settings, 'rate' | 'durationMs'>

/** Returns the settings. Throws an Error that says which values are allowed. */
export function settingsOf(env: Readonly<Record<string, string | undefined>>, defaults: Defaults): Settings {
  const text = (name: string, otherwise: string): string => env[name] || otherwise
  const rate = numberOf('RATE', text('RATE', String(defaults.rate)), 2)
  if (rate % 2 !== 0) throw new Error(`RATE is ${rate}, write an even number: iterations come in pairs`)
  return {
    baseUrl: text('BASE_URL', 'http://127.0.0.1:8080').replace(/\/+$/, ''),
    collection: text('COLLECTION', 'load'),
    run: text('RUN', `run-${Date.now().toString(36)}`),
    rate,
    durationMs: durationOf('DURATION', text('DURATION', `${defaults.durationMs}ms`)),
    timeoutMs: durationOf('TIMEOUT', text('TIMEOUT', '2s')),
    token: text('TOKEN', ''),
    parts: partsOf(text('PARTS', 'load,settle')),
    phases: phasesOf(text('PHASES', 'steady')),
    p99Ms: durationOf('P99', text('P99', '500ms')),
    errors: numberOf('ERRORS', text('ERRORS', '0'), 0),
  }
}

function numberOf(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < least) throw new Error(`${name} is "${text}", write a number from ${least}`)
  return value
}

function durationOf(name: string, text: string): number {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) || []
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit]
  if (unitMs === undefined) throw new Error(`${name} is "${text}", write a duration such as 500ms, 30s or 5m`)
  return Number(count) * unitMs
}

function partsOf(text: string): readonly string[] {
  const parts = text.split(',')
  if (parts.every((part) => part === 'load' || part === 'settle')) return parts
  throw new Error(`PARTS is "${text}", write load, settle or load,settle`)
}

/** Parses phases such as `baseline:20s,fault:40s,recovery`. */
function phasesOf(text: string): readonly Phase[] {
  return text.split(',').map((part, index, all) => {
    const [, name, length] = /^([a-z]+)(?::(.+))?$/.exec(part) || []
    const last = index === all.length - 1
    if (name === undefined || last !== (length === undefined)) {
      throw new Error(`PHASES is "${text}", write such as baseline:20s,fault:40s,recovery`)
    }
    return { name, lengthMs: length === undefined ? Number.POSITIVE_INFINITY : durationOf('PHASES', length) }
  })
}

/** Writes to every server repeatedly, so that the history shows which servers accepted writes at which times. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Entry, machineMs } from '../../../../drill/history.ts'
import { until, type WaitLimits } from '../../../../std/until.ts'

/** Probes servers until it is stopped. */
export interface Prober {
  /** Resolves when a probe sent after this call had the given outcome. */
  seen(port: number, type: Entry['type'], limits: WaitLimits): Promise<void>
  /** Resolves when nothing more is recorded. */
  stop(): Promise<void>
}

export interface ProberOptions {
  readonly ports: readonly number[]
  readonly record: (entry: Entry) => void
}

const HOST = '127.0.0.1'
/** Interval between two probes of a server, in milliseconds. */
const EVERY_MS = 30
/** Timeout of a probe, in milliseconds. A server without a response until then is silent. */
const ANSWER_MS = 300
/** Milliseconds by which a period with two primaries may extend beyond its probes: their interval and some delay. */
export const SLACK_MS = 60

type Outcome = Pick<Entry, 'type' | 'error'>

/** Starts to probe each port and records the probes. */
export function startProber({ ports, record }: ProberOptions): Prober {
  const last = new Map<number, Entry>()
  const ending = new AbortController()

  async function watch(port: number): Promise<void> {
    const line = createConnection(port)
    for (let count = 1; !ending.signal.aborted; count++) {
      const tMono = machineMs()
      const outcome = await line.write(`SET fence-history-probe ${count}`)
      const op = `probe-${port}-${count}`
      const base = { process: 'prober', op, f: 'probe', key: `${HOST}:${port}`, tMono } as const
      const entry: Entry = { ...base, untilMono: machineMs(), ...outcome }
      last.set(port, entry)
      record(entry)
      await sleep(Math.max(1, EVERY_MS - (machineMs() - tMono)))
    }
    line.close()
  }
  const watches = ports.map((port) => watch(port))
  return {
    async seen(port, type, limits) {
      const now = machineMs()
      await until(async () => {
        const entry = last.get(port)
        const isSeen = entry?.type === type && (entry.tMono ?? 0) > now
        return isSeen ? { value: true } : { missing: `a probe of port ${port} with the outcome ${type}` }
      }, limits)
    },
    async stop() {
      ending.abort()
      await Promise.all(watches)
    },
  }
}

/** A connection that sends one command at a time, and reconnects after a failure. */
interface ProbeConnection {
  write(command: string): Promise<Outcome>
  close(): void
}

function createConnection(port: number): ProbeConnection {
  let socket: Socket | undefined

  function write(command: string): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const current = (socket ??= connect(port, HOST).setEncoding('latin1'))
    let isDone = false
    const finish = (outcome: Outcome, isUsable = false): void => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      current.removeAllListeners()
      if (!isUsable) {
        // later errors of a broken connection are ignored
        current.on('error', () => {}).destroy()
        socket = undefined
      }
      resolve(outcome)
    }
    const silent = (): void => finish({ type: 'info', error: `no response within ${ANSWER_MS} ms` })
    // a response that arrived while this process was busy is read first
    const timer = setTimeout(() => setImmediate(silent), ANSWER_MS)
    current.on('error', (error) => finish({ type: 'fail', error: error.message }))
    current.on('close', () => finish({ type: 'fail', error: 'the connection was closed' }))
    current.on('data', (text) => {
      const reply = String(text).trim()
      finish(reply.startsWith('+OK') ? { type: 'ok' } : { type: 'fail', error: reply }, true)
    })
    current.write(`${command}\r\n`)
    return promise
  }
  return { write, close: () => void socket?.destroy() }
}

/** The process of an API server, which can be killed, stopped and started again. */
import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createKubeConnection } from '../../kube/client/connection.ts'
import { systemClock } from '../../std/clock.ts'
import { untilTrue } from '../../std/until.ts'
import type { BareApiServer } from './bare-api-server.ts'

export interface ApiServerProcess {
  readonly port: number
  kill(): Promise<void>
  /** Starts a killed server with the same arguments. Resolves when it is ready. */
  start(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

const READY_MS = 60_000
const EVERY_MS = 200
const CALL_MS = 2_000

/** Returns the process. The second line of the file `pids` is that of the API server; all of them end with the server. */
export function apiServerProcess({ kubeconfig }: BareApiServer): ApiServerProcess {
  const pids = join(dirname(kubeconfig), 'pids')
  let pid = Number(readFileSync(pids, 'utf8').split('\n')[1])
  const [command = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  const port = Number(args[args.indexOf('--secure-port') + 1])

  async function isReady(): Promise<boolean> {
    using connection = createKubeConnection({ clock: systemClock, kubeconfig })
    const signal = AbortSignal.timeout(CALL_MS)
    const { status } = await connection.send({ method: 'GET', path: '/readyz', signal, deadlineMs: CALL_MS })
    return status === 200
  }

  return {
    port,
    async kill() {
      process.kill(pid, 'SIGKILL')
    },
    async start() {
      const child = spawn(command, args, { detached: true, stdio: 'ignore' })
      child.unref()
      pid = child.pid ?? 0
      appendFileSync(pids, `${pid}\n`)
      await untilTrue('the API server', isReady, { withinMs: READY_MS, everyMs: EVERY_MS })
    },
    async freeze() {
      process.kill(pid, 'SIGSTOP')
    },
    async thaw() {
      process.kill(pid, 'SIGCONT')
    },
  }
}

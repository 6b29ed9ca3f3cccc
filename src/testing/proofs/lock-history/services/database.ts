/** Faults on one server: Postgres, MariaDB, and the API server of Kubernetes. */
import type { FaultInjection } from '../../../../drill/faults/fault.ts'
import { proveDead, proveSilent } from './probes.ts'

/** A server that can be killed, stopped and started again. */
export interface Database {
  readonly port: number
  kill(): Promise<void>
  start(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** Returns the faults. `hello` is a request to which a running server responds; empty if it speaks first. */
export function databaseFaults(server: Database, hello: Uint8Array): readonly FaultInjection[] {
  let isDead = false
  return [
    {
      name: 'server-kill',
      prepare: (random) => ({
        holdMs: random.between(100, 3_000),
        async inject() {
          isDead = true
          await server.kill()
        },
        prove: () => proveDead(server.port),
        async undo() {
          if (isDead) await server.start()
          isDead = false
        },
      }),
    },
    {
      name: 'server-stop',
      prepare: (random) => ({
        holdMs: random.between(300, 6_000),
        inject: () => server.freeze(),
        prove: () => proveSilent(server.port, hello),
        undo: () => server.thaw(),
      }),
    },
  ]
}

import { systemClock } from '../../../std/clock.ts'
import { startBareApiServer } from '../../../testing/kube/bare-api-server.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import type { Absent } from '../../../testing/present.ts'
import { lockContract, type Subject } from '../../contract.ts'
import { connectKubernetesLock } from './backend.ts'

async function subject(): Promise<Subject | Absent> {
  const server = await startBareApiServer()
  if ('absent' in server) return server
  const url = `kubernetes:///default?kubeconfig=${server.kubeconfig}`
  const backend = await connectKubernetesLock(url, { clock: systemClock }, AbortSignal.timeout(10_000))
  return {
    backend,
    startPeer: () => startPeer(url),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const unfair = 'the API server keeps no queue: waiters are woken together'

lockContract('kubernetes', subject, [
  { test: 'keeps a released key for the first waiter', reason: unfair },
  { test: 'serves waiters in order of arrival', reason: unfair },
  {
    test: 'returns one outcome per key in one exchange, in order',
    reason: 'a request of the API writes one object',
  },
])

/** What the readers of a release share. */
import { reasonOf } from '../errors/error.ts'
import type { KubeObject } from '../kube/client/resource.ts'
import { mainContainer, type Read } from './facts.ts'
import { listAt, numberAt, textAt } from './json.ts'

const DEFAULT_PORT = 8080

/** Resolves with the reason of a failure. Rejects only when the signal aborts. */
export async function attempt<T>(work: () => Promise<T>, signal: AbortSignal): Promise<Read<T>> {
  try {
    return { kind: 'read', value: await work() }
  } catch (failure) {
    signal.throwIfAborted()
    return { kind: 'unread', why: reasonOf(failure) }
  }
}

/** Returns the port of the API in a pod of the service. */
export function portOf(pod: KubeObject): number {
  const port = listAt(mainContainer(pod), 'ports').find((one) => textAt(one, 'name') === 'http')
  return numberAt(port, 'containerPort') ?? DEFAULT_PORT
}

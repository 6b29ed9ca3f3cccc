/** One custom kind on a real API server, to test its schema and its rules. */
import { createKubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { type CustomKind, DEFINITIONS, definitionOf } from '../../kube/crd/definition.ts'
import { systemClock } from '../../std/clock.ts'
import { untilTrue } from '../../std/until.ts'
import type { Absent } from '../present.ts'
import { startBareApiServer } from './bare-api-server.ts'

/** A wrong spec, the start of the sentence that refuses it, and the spec before it where a rule compares the two. */
export interface RefusedSpec {
  readonly says: string
  readonly spec: object
  readonly before?: object
}

export interface KindServer extends AsyncDisposable {
  /** Applies the spec under a new name, after `before`. Rejects with the error of the API server. */
  apply(spec: object, before?: object): Promise<KubeObject>
  /** Writes the status of a new object, and resolves with it as the API server keeps it. */
  writeStatus(spec: object, status: object): Promise<unknown>
}

const soon = (): AbortSignal => AbortSignal.timeout(20_000)

/** Starts an API server with this kind. */
export async function startKindServer(kind: CustomKind): Promise<KindServer | Absent> {
  const server = await startBareApiServer()
  if ('absent' in server) return server
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  const api = createKubeApi(connection)
  const { resource } = kind
  await api.apply(DEFINITIONS, definitionOf(kind, '0.1.0'), soon())
  const isServed = async (): Promise<boolean> => (await api.list(resource, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, { withinMs: 20_000, everyMs: 100 })
  let count = 0
  const write = (name: string, spec: object) =>
    api.apply(resource, { metadata: { name, namespace: 'default' }, spec }, soon())
  return {
    async apply(spec, before) {
      const name = `one-${++count}`
      if (before !== undefined) await write(name, before)
      return write(name, spec)
    },
    async writeStatus(spec, status) {
      const name = `one-${++count}`
      await write(name, spec)
      const written = await api.applyStatus(resource, { metadata: { name, namespace: 'default' }, status }, soon())
      return written['status']
    },
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Returns the messages of all rules of a schema, each once. */
export function messagesOf(schema: object): readonly string[] {
  const found = [...JSON.stringify(schema).matchAll(/"rule":"(?:[^"\\]|\\.)*","message":"((?:[^"\\]|\\.)*)"/g)]
  return [...new Set(found.map(([, message = '']) => JSON.parse(`"${message}"`) as string))]
}

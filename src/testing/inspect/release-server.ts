/** An API server that has the objects of a release: lists with selectors, merge patches, and logs, metrics and ports of pods. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { EVENTS, KINDS, SECRETS, TOPOLOGIES } from '../../inspect/kinds.ts'
import { type KubeObject, pathOf, type Resource } from '../../kube/client/resource.ts'
import { DEFINITIONS } from '../../kube/crd/definition.ts'
import { LEASES } from '../../kube/runtime/leadership-term.ts'
import { createPodPorts } from './pod-ports.ts'
import { METRICS, type ReleaseObjects, STATE } from './release.ts'

const ALL: readonly Resource[] = [...Object.values(KINDS), SECRETS, EVENTS, TOPOLOGIES, DEFINITIONS, LEASES]

export interface ReleaseServer extends AsyncDisposable {
  readonly kubeconfig: string
  /** Requests so far, as `METHOD /path?query`. */
  readonly requests: readonly string[]
  /** Requests that match are refused with 403. Default: none. */
  forbid(match: RegExp): void
  /** Text that the pod's log has. Default: one line with its name. */
  log(pod: string, text: string): void
}

/** Starts the server on a free port. `patched` is called after each patch with the object. */
export async function startReleaseServer(
  objects: ReleaseObjects,
  patched: (object: KubeObject) => void = () => {},
): Promise<ReleaseServer> {
  const requests: string[] = []
  const forbidden: RegExp[] = []
  const logs = new Map<string, string>()
  const isForbidden = (line: string): boolean => forbidden.some((match) => match.test(line))

  function found(path: string): readonly KubeObject[] | undefined {
    for (const resource of ALL) {
      const ofKind = objects.items.filter(({ kind }) => kind === resource.kind)
      if (path === pathOf(resource)) return ofKind
      for (const one of ofKind) if (path === pathOf(resource, one.metadata)) return [one]
      const [, namespace] = /\/namespaces\/([^/]+)\//.exec(path) ?? []
      if (path === pathOf(resource, { namespace }) && namespace !== undefined) {
        return ofKind.filter(({ metadata }) => metadata.namespace === namespace)
      }
    }
    return undefined
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api')
    const line = `${request.method} ${request.url}`
    requests.push(line)
    if (isForbidden(line)) return refuse(response, 403, `${pathname} is forbidden`)
    const [, pod, rest] = /\/pods\/([^/:]+)(?::\d+)?\/(log|proxy\/metrics)$/.exec(pathname) ?? []
    if (rest === 'proxy/metrics') return void response.end(METRICS)
    if (rest === 'log') return void response.end(logs.get(pod ?? '') ?? `log of ${pod}\n`)
    const here = found(decodeURIComponent(pathname))
    if (here === undefined) return refuse(response, 404, 'not found')
    const [only] = here
    if (only !== undefined && pathname.endsWith(`/${only.metadata.name}`)) {
      if (request.method === 'PATCH') {
        merge(only, JSON.parse(await textOf(request)))
        patched(only)
      }
      return json(response, 200, only)
    }
    const items = here.filter((one) => isSelected(one, searchParams))
    json(response, 200, { metadata: { resourceVersion: '1' }, items })
  }

  const server = createServer((request, response) => void respond(request, response))
  const ports = createPodPorts()
  server.on('upgrade', (request, socket, head) => {
    const line = `${request.method} ${request.url}`
    requests.push(line)
    if (isForbidden(line)) socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n')
    else ports.accept(request, socket, head, STATE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const folder = mkdtempSync(join(tmpdir(), 'release-server-'))
  const kubeconfig = join(folder, 'kubeconfig')
  const { port } = server.address() as AddressInfo
  writeFileSync(kubeconfig, kubeconfigOf(`http://127.0.0.1:${port}`))
  return {
    kubeconfig,
    requests,
    forbid: (match) => void forbidden.push(match),
    log: (pod, text) => void logs.set(pod, text),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      ports.close()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function isSelected({ metadata }: KubeObject, query: URLSearchParams): boolean {
  const labels = (query.get('labelSelector') ?? '').split(',').filter((one) => one !== '')
  const name = /^metadata\.name=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1]
  return (
    (name === undefined || metadata.name === name) &&
    labels.every((label) => metadata.labels?.[label.split('=')[0] ?? ''] === label.split('=')[1])
  )
}

/** JSON merge patch, RFC 7386. */
function merge(target: object, patch: unknown): void {
  for (const [name, value] of Object.entries(patch ?? {}) as readonly [string, unknown][]) {
    const before: unknown = Reflect.get(target, name)
    if (value === null) Reflect.deleteProperty(target, name)
    else if (typeof value !== 'object' || Array.isArray(value)) Reflect.set(target, name, value)
    else {
      const inner = typeof before === 'object' && before !== null ? before : {}
      merge(inner, value)
      Reflect.set(target, name, inner)
    }
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function refuse(response: ServerResponse, code: number, message: string): void {
  json(response, code, { kind: 'Status', code, message })
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'shop',
    clusters: [{ name: 'shop', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'shop', user: { token: 'fixture-token' } }],
    contexts: [
      { name: 'shop', context: { cluster: 'shop', user: 'shop', namespace: 'shop' } },
      { name: 'empty', context: { cluster: 'shop', user: 'shop', namespace: 'empty' } },
    ],
  })
}

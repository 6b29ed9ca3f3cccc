/** A kind cluster for the tests of the chart: kubectl with deadlines, and a namespace that is removed after the tests. */

import { ROOT } from '../../../../src/drill/checkout.ts'
import { kindClusterOf } from '../../../../src/drill/targets/kind/cluster.ts'
import { createDocker } from '../../../../src/drill/targets/kind/docker.ts'
import { createKubectl, currentContext, type Kubectl } from '../../../../src/kube/kubectl.ts'
import { type CallOptions, createProgram } from '../../../../src/std/run-program.ts'

const IMAGE = 'ingot:kind-test'

/** Returns a deadline for one call. */
export const within = (seconds = 120): CallOptions => {
  const timeoutMs = seconds * 1_000
  return { signal: AbortSignal.timeout(timeoutMs), timeoutMs }
}

/** Resolves with kubectl for namespaces of the current context. Rejects unless that is a kind cluster. */
export async function connectKind(): Promise<(namespace: string) => Kubectl> {
  const context = await currentContext(within().signal)
  kindClusterOf(context)
  return (namespace) => createKubectl(context, namespace)
}

/** Builds the image and loads it into the nodes. */
export async function provideImage({ context }: Kubectl): Promise<{ repository: string; tag: string }> {
  const kind = createProgram('kind', 'install kind, and put it on the PATH')
  await createDocker()(['build', '--network', 'host', '--tag', IMAGE, ROOT], within(600))
  await kind(['load', 'docker-image', '--name', kindClusterOf(context), IMAGE], within(300))
  const [repository = '', tag = ''] = IMAGE.split(':')
  return { repository, tag }
}

/** Creates a namespace with restricted pod security. Disposal deletes it with all its objects. */
export async function createNamespace({ namespace, run }: Kubectl): Promise<AsyncDisposable> {
  await run(['create', 'namespace', namespace], within())
  await run(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted'], within())
  return {
    [Symbol.asyncDispose]: async () => void (await run(['delete', 'namespace', namespace, '--wait=false'], within())),
  }
}

const CONNECT = `
const { connect } = require('node:net')
const reach = ([host, port]) => new Promise((resolve) => {
  const socket = connect({ host, port: Number(port), timeout: 4000 })
  const end = (how) => { socket.destroy(); resolve(how) }
  socket.on('connect', () => end('open')).on('timeout', () => end('silent')).on('error', (e) => end(e.code))
})
Promise.all(process.argv.slice(1).map((at) => reach(at.split(':')))).then((how) => console.log(JSON.stringify(how)))
`

/** `open`, `silent`, or the code of the error. */
export type Reach = string

const connectCommand = (addresses: readonly string[]): string[] => ['node', '-e', CONNECT, ...addresses]

/** Connects to each address (host:port) from a pod outside the release. Resolves with the results in their order. */
export async function reachFromOutside(kubectl: Kubectl, addresses: readonly string[]): Promise<Reach[]> {
  const name = 'outside'
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1_000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name,
          image: IMAGE,
          command: connectCommand(addresses),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  }
  await kubectl.apply([pod], within())
  try {
    const done = '--for=jsonpath={.status.phase}=Succeeded'
    await kubectl.run(['wait', `pod/${name}`, done, '--timeout=90s'], within())
    return JSON.parse(await kubectl.run(['logs', name], within())) as Reach[]
  } finally {
    await kubectl.run(['delete', 'pod', name, '--wait'], within())
  }
}

/** Connects to each address from a pod of the owner, such as `deployment/ingot`. */
export async function reachFrom(kubectl: Kubectl, owner: string, addresses: readonly string[]): Promise<Reach[]> {
  return JSON.parse(await kubectl.run(['exec', owner, '--', ...connectCommand(addresses)], within())) as Reach[]
}

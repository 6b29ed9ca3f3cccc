/** A kind cluster as the tests use it: commands with deadlines, a namespace that goes with the tests. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..', '..', '..')
const IMAGE = 'ingot:kind-test'

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

export function run(command: string, args: readonly string[], input = '', seconds = 120): Ended {
  const options = { cwd: ROOT, encoding: 'utf8', input, timeout: seconds * 1_000 } as const
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (error !== undefined) throw new Error(`${command} ${args.join(' ')}: ${error.message}`)
  return { status, out: stdout, err: stderr }
}

/** What the command prints; throws with what it complained of when it fails. */
export function need(command: string, args: readonly string[], input = '', seconds = 120): string {
  const { status, out, err } = run(command, args, input, seconds)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${err}${out}`)
  return out
}

/** The name of the kind cluster of the current context. Nothing here may reach any other. */
export function kindCluster(): string {
  const context = need('kubectl', ['config', 'current-context']).trim()
  const [, name] = /^kind-(.+)$/.exec(context) ?? []
  if (name === undefined)
    throw new Error(`the context ${context} is no kind cluster: kubectl config use-context kind-…`)
  return name
}

/** Builds the image and puts it on the nodes. */
export function provideImage(): { readonly repository: string; readonly tag: string } {
  need('docker', ['build', '--network', 'host', '--tag', IMAGE, '.'], '', 600)
  need('kind', ['load', 'docker-image', '--name', kindCluster(), IMAGE], '', 300)
  const [repository = '', tag = ''] = IMAGE.split(':')
  return { repository, tag }
}

/** A namespace under the restricted pod security; goes with `using`, and all that is in it. */
export function createNamespace(name: string): Disposable {
  need('kubectl', ['create', 'namespace', name])
  need('kubectl', ['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted'])
  return { [Symbol.dispose]: () => void need('kubectl', ['delete', 'namespace', name, '--wait=false']) }
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

/** open, silent, or the error's code. */
export type Reach = string

export const connectCommand = (addresses: readonly string[]): string[] => ['node', '-e', CONNECT, ...addresses]

/** How a pod of nobody's meets these addresses (host:port), in their order. */
export function reachAsStranger(namespace: string, addresses: readonly string[]): Reach[] {
  const name = 'stranger'
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
  const here = ['-n', namespace]
  need('kubectl', ['apply', ...here, '-f', '-'], JSON.stringify(pod))
  try {
    const done = '--for=jsonpath={.status.phase}=Succeeded'
    need('kubectl', ['wait', ...here, `pod/${name}`, done, '--timeout=90s'])
    return JSON.parse(need('kubectl', ['logs', ...here, name])) as Reach[]
  } finally {
    need('kubectl', ['delete', ...here, 'pod', name, '--wait'])
  }
}

/** The same from within a pod that is there. */
export function reachFrom(namespace: string, owner: string, addresses: readonly string[]): Reach[] {
  return JSON.parse(need('kubectl', ['exec', '-n', namespace, owner, '--', ...connectCommand(addresses)])) as Reach[]
}

/** A drill from a shell: everything goes through the API server, with the rights of the user. */

import { apiError, type KubeApi } from '../../kube/client/api.ts'
import { pathOf } from '../../kube/client/resource.ts'
import type { Kubectl } from '../../kube/kubectl.ts'
import { createWorkloads, PODS } from '../../kube/workloads.ts'
import { createDocker, createKindMachines } from '../targets/kind/docker.ts'
import { createJobHome } from '../targets/kubernetes/job-home.ts'
import { createShellView } from '../targets/redis/shell-view.ts'
import { createBystanders } from './bystanders.ts'
import { operatorContext } from './operator-pods.ts'
import type { DrillLog } from './progress.ts'
import type { Drill, DrillDeps } from './state.ts'

export interface ShellOptions {
  readonly api: KubeApi
  readonly kubectl: Kubectl
  readonly drill: Drill
  readonly log: DrillLog
  readonly version: string
  readonly say: (line: string) => void
}

/** Port of the Service that the chart renders. */
const KIND = /^kind-/

export function shellDeps({ api, kubectl, drill, log, version, say }: ShellOptions): DrillDeps {
  const { namespace, context } = kubectl
  const { target, load } = drill.spec
  const workloads = createWorkloads({ api, namespace, release: target.release })
  return {
    workloads,
    redis: createShellView(workloads),
    // the nodes of kind are containers of this machine
    ...(KIND.test(context) ? { machines: createKindMachines(createDocker()) } : {}),
    home: ({ name, image, setup }) =>
      createJobHome({
        kubectl,
        release: target.release,
        name,
        image,
        k6Image: load?.image,
        service: name,
        hasRedis: setup.mode !== 'external',
        store: setup.store,
        tokenSecret: load?.token?.secretName,
      }),
    bystanders: createBystanders(workloads, async ({ name, port }, signal) => {
      const path = `${pathOf(PODS, { namespace, name })}:${port}/proxy/metrics`
      const { status, body } = await api.connection.send({ method: 'GET', path, signal, deadlineMs: 3_000 })
      if (status !== 200) throw apiError(status, `GET ${path}: ${status}`)
      return body
    }),
    operator: (release, signal) => operatorContext(api, release, signal),
    log,
    version,
    say,
  }
}

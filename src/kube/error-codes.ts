/** Errors of the Kubernetes API. */
import { type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const KUBE_ERRORS = {
  KUBE_CONFIG_INVALID: rejected(500, 'set KUBECONFIG to a file that names a cluster, or run inside one'),
  KUBE_UNREACHABLE: passing(503, 'check the address of the API server, the network and its certificates'),
  KUBE_UNAVAILABLE: passing(503, 'the API server is busy or restarting; the call is tried again by itself'),
  KUBE_UNAUTHORIZED: rejected(401, 'renew the credentials of the kubeconfig or of the ServiceAccount'),
  KUBE_FORBIDDEN: rejected(403, 'bind a Role with the verb and the resource that the message names'),
  KUBE_NOT_FOUND: rejected(404, 'check the name and the namespace; if the kind itself is unknown, install its CRD'),
  KUBE_CONFLICT: passing(409, 'read the object again, then repeat the change'),
  KUBE_EXPIRED: passing(410, 'list again: the resource version is too old to watch from'),
  KUBE_INVALID: rejected(422, 'correct the fields that the message names'),
} as const satisfies ErrorKinds

/** Errors of the kubectl plugin. */
import { type ErrorKinds, rejected } from '../std/error-kind.ts'

export const INSPECT_ERRORS = {
  RELEASE_NOT_FOUND: rejected(404, 'name the namespace and the release: --namespace NAMESPACE --release RELEASE'),
  RELEASE_AMBIGUOUS: rejected(409, 'choose one of them: --release RELEASE'),
  TOPOLOGY_NOT_FOUND: rejected(404, 'install the operator, then upgrade the release with operator.resources=auto'),
  OPERATOR_NOT_LEADING: rejected(503, 'install the operator, or look at its pods and its Lease (docs/operator.md)'),
  HANDOVER_NOT_ALLOWED: rejected(
    409,
    'change the RedisTopology as the message says (values operator.policy and operator.paused)',
  ),
  HANDOVER_POD_UNKNOWN: rejected(404, 'name one of the servers that kubectl ingot status lists'),
  DRILL_NOT_FOUND: rejected(404, 'kubectl ingot drill list shows the drills; without the kind, install the operator'),
  DRILL_NOT_FINISHED: rejected(409, 'wait for its end: kubectl ingot drill watch NAME'),
  DRILL_WITHOUT_REPORT: rejected(404, 'read the place that the message names, or the log of the Job of the drill'),
  BUNDLE_NOT_CLEAN: rejected(500, 'report this with the name of the file, and collect what you need with kubectl'),
} as const satisfies ErrorKinds

/** Reads the manifest of a drill, and checks what the API server checks by CEL. Pure. */
import { Value } from 'typebox/value'
import { IngotError } from '../../errors/error.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { FAILOVER_DRILLS } from './kinds.ts'
import { DRILL_SPEC, type DrillSpec } from './schema.ts'

export interface DrillManifest {
  readonly name: string
  /** Absent: the namespace of the context. */
  readonly namespace: string | undefined
  readonly spec: DrillSpec
}

const NAME = /^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/

/** Throws IngotError INPUT_UNREADABLE with every problem, one per line. */
export function drillOf(object: KubeObject, file: string): DrillManifest {
  const { kind, metadata } = object
  const spec: unknown = object['spec']
  const problems = [
    ...(kind === FAILOVER_DRILLS.kind ? [] : [`kind: "${kind ?? ''}" is not ${FAILOVER_DRILLS.kind}`]),
    ...(NAME.test(metadata.name ?? '')
      ? []
      : ['metadata.name: write a name of a-z, 0-9 and -, of at most 52 characters']),
    ...Value.Errors(DRILL_SPEC, spec).map(
      ({ instancePath, message }) => `spec${instancePath.replaceAll('/', '.')}: ${message}`,
    ),
  ]
  if (Value.Check(DRILL_SPEC, spec)) problems.push(...rulesBroken(spec))
  if (problems.length > 0 || !Value.Check(DRILL_SPEC, spec)) {
    throw new IngotError('INPUT_UNREADABLE', `"${file}" is no drill:\n  ${problems.join('\n  ')}`)
  }
  return { name: metadata.name, namespace: metadata.namespace, spec }
}

/** The rules of the schema between several fields, which only the API server evaluates by itself. */
function rulesBroken({ scenario, faults }: DrillSpec): readonly string[] {
  const names = (faults ?? []).map(({ name }) => name)
  return [
    ...((scenario === undefined) === (faults === undefined) ? ['spec: write exactly one of scenario and faults'] : []),
    ...(new Set(names).size === names.length ? [] : ['spec.faults: two faults have the same name']),
    ...(faults ?? []).flatMap(({ name, action, target, manifest, external, replicas }) => [
      ...(action === 'Manifest' || action === 'External' || target !== undefined
        ? []
        : [`fault ${name}: name its target`]),
      ...((action === 'Manifest') === (manifest !== undefined) ? [] : [`fault ${name}: Manifest needs manifest`]),
      ...((action === 'Scale') === (replicas !== undefined) ? [] : [`fault ${name}: Scale needs replicas`]),
      ...(action === 'External' || external === undefined ? [] : [`fault ${name}: external is only for External`]),
    ]),
  ]
}

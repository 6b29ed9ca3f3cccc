/** Builds CustomResourceDefinitions. Pure. */
import { apiVersionOf, type KubeObject, type Resource } from '../client/resource.ts'
import { type JsonSchema, structuralSchema } from './structural-schema.ts'

export const DEFINITIONS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  readonly description?: string
  /** Columns above 0 are shown by `-o wide`. Default: 0. */
  readonly priority?: number
}

export interface CustomKind {
  readonly resource: Resource
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly description: string
  /** Schema of the spec, by TypeBox. */
  readonly spec: object
  /** Schema of the status, by TypeBox. */
  readonly status: object
  readonly columns: readonly PrinterColumn[]
  /** Paths of the scale subresource. Default: none. */
  readonly scale?: {
    readonly specReplicasPath: string
    readonly statusReplicasPath: string
    readonly labelSelectorPath: string
  }
}

/** The annotation with the version of ingot that made the definition. */
export const VERSION_ANNOTATION = 'ingot.dev/crd-version'

/**
 * Returns the definition. The version is in an annotation and in the schema's description, because an operator that
 * may not read definitions finds it in `/openapi/v3`. Throws Error for a schema that is not structural.
 */
export function definitionOf(kind: CustomKind, version: string): KubeObject {
  const { resource, singular, shortNames, categories } = kind
  const { group, plural } = resource
  return {
    apiVersion: apiVersionOf(DEFINITIONS),
    kind: DEFINITIONS.kind,
    metadata: { name: `${plural}.${group}`, annotations: { [VERSION_ANNOTATION]: version } },
    spec: {
      group,
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      names: { kind: resource.kind, plural, singular, shortNames, categories },
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          subresources: { status: {}, ...(kind.scale === undefined ? {} : { scale: kind.scale }) },
          additionalPrinterColumns: kind.columns,
          schema: { openAPIV3Schema: schemaOf(kind, version) },
        },
      ],
    },
  }
}

function schemaOf({ spec, status, description }: CustomKind, version: string): JsonSchema {
  return {
    type: 'object',
    description: `${description} (ingot ${version})`,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structuralSchema(spec, 'spec'),
      status: structuralSchema(status, 'status'),
    },
  }
}

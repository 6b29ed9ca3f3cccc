/** Finds the kind cluster of a kubectl context. */

/** Returns the name of the kind cluster. Throws for every other context: drills of this checkout break clusters. */
export function kindClusterOf(context: string): string {
  const [, name] = /^kind-(.+)$/.exec(context) ?? []
  if (name !== undefined) return name
  throw new Error(
    `the current context is "${context}"; drills inject faults, and run on kind only: kubectl config use-context kind-ingot`,
  )
}

/** Returns the node that is never frozen. It holds the store and the load. kind-config.yaml has three workers. */
export function anchorOf(cluster: string): string {
  return `${cluster}-worker3`
}

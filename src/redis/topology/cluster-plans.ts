/**
 * Decides about the topology of a Redis Cluster from the reports of its servers. Pure. The chart makes the same decisions
 * in shell (charts/ingot/files/redis/topology.sh). Both must satisfy the test cases in cases/*.json.
 */

/** The state that one server reports about itself. */
export interface ClusterReport {
  readonly host: string
  /** Kubernetes node on which its pod runs. */
  readonly machine: string
  readonly id: string
  /** Id of its primary. Absent if the server is a primary or has no role yet. */
  readonly primaryId?: string
  readonly slots: number
  readonly keys: number
  /** Number of servers that it knows, itself included. */
  readonly known: number
}

/** Returns true if every server responds and has met all others. Plans need a complete view. */
function isComplete(reports: readonly ClusterReport[], servers: number): boolean {
  return reports.length >= servers && reports.every(({ known }) => known >= servers)
}

/**
 * Returns the hosts that become the first primaries, on different machines as long as there are enough. Returns none
 * while a server does not respond, has slots, keys or a primary, or has not met all others.
 */
export function planPrimaries(reports: readonly ClusterReport[], servers: number, primaries: number): string[] {
  const isBlank = reports.every(({ slots, keys, primaryId }) => slots === 0 && keys === 0 && primaryId === undefined)
  if (!isBlank || !isComplete(reports, servers)) return []
  const chosen: ClusterReport[] = []
  const onMachine = (machine: string): number => chosen.filter((report) => report.machine === machine).length
  for (let round = 0; chosen.length < Math.min(primaries, reports.length); round++) {
    for (const report of reports) {
      if (chosen.length === primaries) break
      if (!chosen.includes(report) && onMachine(report.machine) <= round) chosen.push(report)
    }
  }
  return chosen.map(({ host }) => host)
}

/** A server that becomes a replica. */
export interface Attachment {
  readonly host: string
  /** Id of the primary that it should follow. */
  readonly primaryId: string
}

/**
 * Returns a primary for each empty server without a role: the one with the fewest replicas, on another machine if there
 * is one. Returns none while a server does not respond or has not met all others.
 */
export function planReplicas(reports: readonly ClusterReport[], servers: number): Attachment[] {
  const primaries = reports.filter(({ slots }) => slots > 0)
  if (primaries.length === 0 || !isComplete(reports, servers)) return []
  const replicas = new Map<string, number>()
  const addReplica = (id: string): unknown => replicas.set(id, (replicas.get(id) ?? 0) + 1)
  for (const { primaryId } of reports) if (primaryId !== undefined) addReplica(primaryId)
  // an additional replica costs twice as much as sharing the primary's machine
  const cost = (primary: ClusterReport, machine: string): number =>
    4 * (replicas.get(primary.id) ?? 0) + 2 * Number(primary.machine === machine)
  const idle = reports.filter(({ slots, keys, primaryId }) => slots === 0 && keys === 0 && primaryId === undefined)
  return idle.map(({ host, machine }) => {
    const best = primaries.reduce((a, b) => (cost(b, machine) < cost(a, machine) ? b : a))
    addReplica(best.id)
    return { host, primaryId: best.id }
  })
}

/**
 * Returns the replica that should become primary so that the machine with the most primaries has one fewer. Returns
 * undefined if no move improves the spread, and while a server does not respond or has not met all others.
 */
export function planMove(reports: readonly ClusterReport[], servers: number): string | undefined {
  if (!isComplete(reports, servers)) return undefined
  const primariesOn = (machine: string): number =>
    reports.filter((report) => report.machine === machine && report.slots > 0).length
  const machineOf = new Map(reports.map(({ id, machine }) => [id, machine]))
  const moves = reports.flatMap(({ host, machine, primaryId }) => {
    const from = primaryId === undefined ? undefined : machineOf.get(primaryId)
    return from === undefined ? [] : [{ host, gain: primariesOn(from) - primariesOn(machine) }]
  })
  const useful = moves.filter(({ gain }) => gain > 1)
  const [best] = useful.toSorted((a, b) => b.gain - a.gain || (a.host < b.host ? -1 : 1))
  return best?.host
}

/** Notices failovers from poll to poll: which server became primary for which, and how long there was none. Pure. */

export interface Failover {
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number
  readonly from: string
  readonly to: string
  /** True if the former primary still responded when it was replaced: a hand-over loses no acknowledged write. */
  readonly planned: boolean
  /** Time between the last response of the former primary as such and the first of its successor, in milliseconds. */
  readonly writeGapMs: number
  readonly reason: 'PodDeleted' | 'Handover' | 'PodLost' | 'ServerSilent'
}

/** Roles at one poll. */
export interface Roles {
  readonly nowMs: number
  readonly wallMs: number
  /** Servers that respond as primary; in a cluster, those with slots. */
  readonly primaries: readonly string[]
  /** Servers that respond as replica, with the primary of each, if it is known. */
  readonly replicas: ReadonlyMap<string, string | undefined>
  /** Pods that exist and are not being deleted. */
  readonly staying: ReadonlySet<string>
  /** There are several primaries: a successor is known by the primary that it followed. */
  readonly isCluster: boolean
}

interface Reign {
  readonly lastMs: number
  readonly isSilent: boolean
  readonly isLeaving: boolean
}

/** What to remember from poll to poll. */
export interface FailoverMemory {
  readonly reigns: ReadonlyMap<string, Reign>
  /** The primary of each replica. */
  readonly followed: ReadonlyMap<string, string>
}

export const NO_MEMORY: FailoverMemory = { reigns: new Map(), followed: new Map() }

/** Returns the failovers since the last poll. The first poll of an operator has none. */
export function trackFailovers(
  memory: FailoverMemory,
  roles: Roles,
): { readonly memory: FailoverMemory; readonly failovers: readonly Failover[] } {
  const failovers = roles.primaries.flatMap((to) => failoverTo(to, memory, roles))
  const replaced = new Set(failovers.map(({ from }) => from))
  return {
    memory: { reigns: reignsAfter(memory, roles, replaced), followed: followedAfter(memory, roles) },
    failovers,
  }
}

function failoverTo(to: string, { reigns, followed }: FailoverMemory, roles: Roles): readonly Failover[] {
  // outside a cluster, a replica may have been promoted before it was seen to follow the last primary
  const from = roles.isCluster ? followed.get(to) : [...reigns.keys()].at(-1)
  const reign = from === undefined ? undefined : reigns.get(from)
  if (from === undefined || reign === undefined || reigns.has(to) || roles.primaries.includes(from)) return []
  const { lastMs, isSilent } = reign
  const isLeaving = reign.isLeaving || !roles.staying.has(from)
  const planned = !isSilent
  const reason = planned ? (isLeaving ? 'PodDeleted' : 'Handover') : isLeaving ? 'PodLost' : 'ServerSilent'
  return [{ wallMs: roles.wallMs, from, to, planned, writeGapMs: Math.round(roles.nowMs - lastMs), reason }]
}

function reignsAfter(
  { reigns }: FailoverMemory,
  { primaries, replicas, staying, nowMs }: Roles,
  replaced: ReadonlySet<string>,
): ReadonlyMap<string, Reign> {
  const after = new Map<string, Reign>()
  for (const [pod, reign] of reigns) {
    // a former primary that is silent may have a successor later
    const isWaiting = !primaries.includes(pod) && !replicas.has(pod) && !replaced.has(pod)
    if (isWaiting) after.set(pod, { ...reign, isSilent: true, isLeaving: reign.isLeaving || !staying.has(pod) })
    // demoted, and its successor was not seen yet
    else if (replicas.has(pod) && !primaries.includes(replicas.get(pod) ?? '')) after.set(pod, reign)
  }
  for (const pod of primaries) after.set(pod, { lastMs: nowMs, isSilent: false, isLeaving: !staying.has(pod) })
  return after
}

function followedAfter({ followed }: FailoverMemory, { primaries, replicas }: Roles): ReadonlyMap<string, string> {
  const after = new Map(followed)
  for (const [pod, primary] of replicas)
    if (primary !== undefined && primaries.includes(primary)) after.set(pod, primary)
  for (const pod of primaries) after.delete(pod)
  return after
}

/** Returns a memory in which these primaries, the same as before, have just responded. */
export function stillPrimary(memory: FailoverMemory, primaries: readonly string[], nowMs: number): FailoverMemory {
  const reigns = new Map(memory.reigns)
  for (const pod of primaries) {
    const reign = reigns.get(pod)
    if (reign !== undefined) reigns.set(pod, { ...reign, lastMs: nowMs })
  }
  return { ...memory, reigns }
}

/** Returns a memory in which the primary responded as such until `lastMs`: then its writes paused for a hand-over. */
export function pausedAt(memory: FailoverMemory, pod: string, lastMs: number): FailoverMemory {
  const reign = memory.reigns.get(pod)
  if (reign === undefined) return memory
  return { ...memory, reigns: new Map(memory.reigns).set(pod, { ...reign, lastMs }) }
}

/** What a check of `doctor` is. Pure. */
import type { Facts, Read } from '../facts.ts'
import type { Part } from '../kinds.ts'

/** Something that a check saw. */
export interface Seen {
  /** Such as `statefulset/ingot-redis`. */
  readonly subject: string
  /** One sentence without a full stop. */
  readonly seen: string
}

/** A part of the facts without which a check says nothing. */
export type Need = Part | 'topologies' | 'leases' | 'operators' | 'definition' | 'secrets'

export interface Check {
  /** Stable. */
  readonly code: string
  /** `error`: it is broken, or data can be lost. `warning`: it will not survive a fault, or it hides one. */
  readonly severity: 'error' | 'warning'
  readonly needs: readonly Need[]
  readonly remedy: string
  find(facts: Facts): readonly Seen[]
}

export interface Finding extends Seen {
  readonly code: string
  readonly severity: Check['severity']
  readonly remedy: string
}

export interface NotChecked {
  readonly code: string
  readonly why: string
}

/** Returns why a check says nothing; undefined if all that it needs was read. */
export function missingFor({ needs }: Check, facts: Facts): string | undefined {
  const reasons = needs.flatMap((need) => unreadIn(need, facts).map((why) => `${need}: ${why}`))
  return reasons[0]
}

function unreadIn(need: Need, facts: Facts): readonly string[] {
  const reads = need === 'secrets' ? readsOfSecrets(facts) : [readOf(need, facts)]
  return reads.flatMap((read) => (read.kind === 'unread' ? [read.why] : []))
}

/** The names of the Secrets come from the workloads. */
function readsOfSecrets({ secrets, objects }: Facts): readonly Read<unknown>[] {
  return [objects.deployments, objects.statefulSets, ...secrets.map(({ secret }) => secret)]
}

function readOf(need: Exclude<Need, 'secrets'>, facts: Facts): Read<unknown> {
  const { topologies, leases, operators, definition, objects } = facts
  return { ...objects, topologies, leases, operators, definition }[need]
}

/** Returns the sighting in a list, or an empty list. */
export function seenIf(is: boolean, subject: string, seen: string): readonly Seen[] {
  return is ? [{ subject, seen }] : []
}

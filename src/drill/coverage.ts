/**
 * What a run has seen of what it is to show: each kind of fault proven, each kind of operation answered. By it a run ends
 * when it has shown all, however slow the machine is, and not after a time that is too short on some.
 */
import type { Event } from './history.ts'

export interface Coverage {
  note(event: Event): void
  has(kind: string): boolean
  /** Those of these kinds that did not happen yet. */
  missing(wanted: readonly string[]): readonly string[]
}

/** Kinds of operations, as coverage names them: saves by what they were sent in, faults by their names. */
export const ITEM_KINDS = ['save single', 'save batch', 'save stream'] as const
export const DELETE_KIND = 'delete'
export const REGISTER_KINDS = ['acquire', 'look', 'write'] as const

export function faultKind(name: string): string {
  return `fault ${name}`
}

export function createCoverage(): Coverage {
  const seen = new Set<string>()
  return {
    note(event) {
      if (event.type === 'ok') seen.add(kindOf(event))
    },
    has: (kind) => seen.has(kind),
    missing: (wanted) => wanted.filter((kind) => !seen.has(kind)),
  }
}

function kindOf({ f, form, key }: Event): string {
  if (f === 'fault') return faultKind(key)
  return f === 'save' ? `save ${form ?? 'single'}` : f
}

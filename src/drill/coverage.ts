/**
 * Records which kinds of faults were proven and which kinds of operations were acknowledged. A run can end when it has
 * seen all kinds, and so needs no time limit that is too short on a slow machine.
 */
import type { Event } from './history.ts'

/** The kinds seen so far. */
export interface Coverage {
  note(event: Event): void
  has(kind: string): boolean
  /** Returns the wanted kinds that have not happened yet. */
  missing(wanted: readonly string[]): readonly string[]
}

/** Kinds of operations: saves by the form of their request. Faults are kinds by name. */
export const ITEM_KINDS = ['save single', 'save batch', 'save stream'] as const
export const DELETE_KIND = 'delete'
export const REGISTER_KINDS = ['acquire', 'look', 'write'] as const

/** Returns the kind of a fault, given its name. */
export function faultKind(name: string): string {
  return `fault ${name}`
}

/** Returns a coverage without any kind. */
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

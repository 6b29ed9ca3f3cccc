/** Pairs events into operations. */
import type { Event } from '../history.ts'

/** An invocation with its completion. */
export interface Operation {
  readonly invoke: Event
  /** Absent if no completion was recorded, which is equivalent to `info`. */
  readonly completion: Event | undefined
  readonly outcome: 'ok' | 'fail' | 'info'
}

/**
 * Returns the operations in the order of their invocation. Throws if a completion has no invocation, or if an operation
 * has two invocations or two completions.
 */
export function operationsOf(history: readonly Event[], f: Event['f']): readonly Operation[] {
  const invokes = new Map<string, Event>()
  const completions = new Map<string, Event>()
  for (const event of history) {
    if (event.f !== f) continue
    const book = event.type === 'invoke' ? invokes : completions
    if (book.has(event.op)) throw new Error(`operation ${event.op} has two events of its kind (seq ${event.seq})`)
    if (event.type !== 'invoke' && !invokes.has(event.op)) {
      throw new Error(`operation ${event.op} ends (seq ${event.seq}) and never began`)
    }
    book.set(event.op, event)
  }
  return Array.from(invokes.values(), (invoke) => operation(invoke, completions.get(invoke.op)))
}

function operation(invoke: Event, completion: Event | undefined): Operation {
  const outcome = completion === undefined || completion.type === 'invoke' ? 'info' : completion.type
  return { invoke, completion, outcome }
}

/** Returns the events of the operations in the order in which they were recorded. */
export function eventsOf(operations: readonly Operation[]): readonly Event[] {
  const events = operations.flatMap(({ invoke, completion }) => (completion ? [invoke, completion] : [invoke]))
  return events.toSorted((a, b) => a.seq - b.seq)
}

/** Returns the phase events, such as `load-began`. */
export function phasesOf(history: readonly Event[], key: string): readonly Event[] {
  return history.filter((event) => event.f === 'phase' && event.key === key)
}

/** Returns the key of a content: collection and digest. */
export function contentOf({ invoke }: Operation): string {
  return `${invoke.collection ?? ''}/${invoke.key}`
}

/** Returns the saves and deletions of each content. */
export function byContent(history: readonly Event[]): ReadonlyMap<string, readonly Operation[]> {
  const all = [...operationsOf(history, 'save'), ...operationsOf(history, 'delete')]
  return Map.groupBy(
    all.toSorted((a, b) => a.invoke.seq - b.invoke.seq),
    contentOf,
  )
}

/** Maps `collection/bytes` to the content, `collection/digest`. */
export function contentByBytes(history: readonly Event[]): ReadonlyMap<string, string> {
  const contents = new Map<string, string>()
  for (const op of operationsOf(history, 'save')) {
    contents.set(`${op.invoke.collection ?? ''}/${op.invoke.bytes ?? ''}`, contentOf(op))
  }
  return contents
}

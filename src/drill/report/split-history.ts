/**
 * Splits the history of a load into one part per fault, because each fault is judged by itself. A content belongs to
 * the fault during which it was first sent, with all its operations. So each part is a complete history, and together
 * the parts cover the load. A stored item that was never sent belongs to every part. Pure.
 */
import type { FinalStore, StoredRow } from '../checkers/final-store.ts'
import type { Event } from '../history.ts'

/** The time of one drill within a load. */
export interface Window {
  readonly name: string
  /** Start in milliseconds of the history's clock. The first window has no lower limit. */
  readonly fromMs: number
  readonly untilMs: number
}

/** The history and the stored rows of one window. */
export interface HistoryPart {
  readonly events: readonly Event[]
  readonly store: FinalStore
}

const contentOf = ({ collection = '', key }: Event): string => `${collection}/${key}`

/** Returns a function that cuts the part of a window. Throws if a window is empty or two overlap. */
export function cut(
  events: readonly Event[],
  store: FinalStore,
  windows: readonly Window[],
): (window: Window) => HistoryPart {
  checkOrder(windows)
  const homes = homesOf(events, windows)
  const begins = new Map(events.flatMap((event) => (event.type === 'invoke' ? [[opOf(event), event.tMono]] : [])))
  const timeOf = (event: Event): number => begins.get(opOf(event)) ?? event.tMono
  const contents = new Map(events.flatMap((event) => spelling(event)))
  return (window) => {
    const own = events.filter((event) =>
      isOfContent(event) ? homes.get(contentOf(event)) === window : isOfAll(event) || isWithin(timeOf(event), window),
    )
    const isOwn = (row: StoredRow): boolean => {
      const content = contents.get(`${row.collection}/${row.bytes}`)
      return content === undefined || homes.get(content) === window
    }
    return {
      events: own.map((event, at) => ({ ...event, seq: at + 1 })),
      store: {
        ...store,
        rows: store.rows.filter(isOwn),
        ...(store.saves === undefined ? {} : { saves: store.saves.filter(isOwn) }),
      },
    }
  }
}

function checkOrder(windows: readonly Window[]): void {
  let endMs = Number.NEGATIVE_INFINITY
  for (const { name, fromMs, untilMs } of windows) {
    if (untilMs <= fromMs || fromMs < endMs) throw new Error(`window ${name} is out of order`)
    endMs = untilMs
  }
}

/** Returns the key of an operation. A release belongs to the operation that acquired the lock. */
const opOf = ({ f, op }: Event): string => `${f === 'release' ? 'acquire' : f} ${op}`

const isOfContent = ({ f }: Event): boolean => f === 'save' || f === 'delete'

/** Returns true for events of every part: the extent of the record, and the final reads of the canary. */
const isOfAll = ({ f, key }: Event): boolean => f === 'members' || (f === 'phase' && /^(load|canary)-/.test(key))

const isWithin = (ms: number, { fromMs, untilMs }: Window): boolean => ms >= fromMs && ms < untilMs

/** Maps `collection/bytes` of a request to `collection/digest`. */
function spelling(event: Event): readonly (readonly [string, string])[] {
  if (event.f !== 'save' || event.bytes === undefined) return []
  return [[`${event.collection ?? ''}/${event.bytes}`, contentOf(event)]]
}

/** Maps each content to the window in which it was first sent. The first and last windows have no outer limit. */
function homesOf(events: readonly Event[], windows: readonly Window[]): ReadonlyMap<string, Window | undefined> {
  const homes = new Map<string, Window | undefined>()
  for (const event of events) {
    if (!isOfContent(event) || homes.has(contentOf(event))) continue
    homes.set(contentOf(event), windows.find(({ untilMs }) => event.tMono < untilMs) ?? windows.at(-1))
  }
  return homes
}

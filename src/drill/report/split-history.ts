/**
 * One run of the load carries several faults, one after the other; each is judged by itself. A content belongs to the
 * fault in whose time it was first sent, with all that ever happened to it: so every piece is a history of its own, and
 * together they are the whole. What is stored and was never sent belongs to every piece: nobody can say whose it is. Pure.
 */
import type { FinalStore, StoredRow } from '../checkers/final-store.ts'
import type { Event } from '../history.ts'

export interface Window {
  readonly name: string
  /** Milliseconds of the history's clock; the first begins before everything. */
  readonly fromMs: number
  readonly untilMs: number
}

export interface Piece {
  readonly events: readonly Event[]
  readonly store: FinalStore
}

const contentOf = ({ collection = '', key }: Event): string => `${collection}/${key}`

/** Gives the piece of each of the windows. Throws when one is empty or two overlap. */
export function cut(
  events: readonly Event[],
  store: FinalStore,
  windows: readonly Window[],
): (window: Window) => Piece {
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

/** A release belongs to the operation that acquired. */
const opOf = ({ f, op }: Event): string => `${f === 'release' ? 'acquire' : f} ${op}`

const isOfContent = ({ f }: Event): boolean => f === 'save' || f === 'delete'

/** How much was recorded matters to every piece, and so does what the canary found at its end. */
const isOfAll = ({ f, key }: Event): boolean => f === 'members' || (f === 'phase' && /^(load|canary)-/.test(key))

const isWithin = (ms: number, { fromMs, untilMs }: Window): boolean => ms >= fromMs && ms < untilMs

/** `collection/bytes` to `collection/digest`, of what was sent. */
function spelling(event: Event): readonly (readonly [string, string])[] {
  if (event.f !== 'save' || event.bytes === undefined) return []
  return [[`${event.collection ?? ''}/${event.bytes}`, contentOf(event)]]
}

/** Which window each content was first sent in; before the first belongs to the first, after the last to the last. */
function homesOf(events: readonly Event[], windows: readonly Window[]): ReadonlyMap<string, Window | undefined> {
  const homes = new Map<string, Window | undefined>()
  for (const event of events) {
    if (!isOfContent(event) || homes.has(contentOf(event))) continue
    homes.set(contentOf(event), windows.find(({ untilMs }) => event.tMono < untilMs) ?? windows.at(-1))
  }
  return homes
}

/** The promises about items: no acknowledged item is lost, no content is stored twice, and every response is true. */
import type { Event } from '../history.ts'
import type { FinalStore, StoredRow } from './final-store.ts'
import { byContent, contentByBytes, contentOf, eventsOf, type Operation, operationsOf } from './operations.ts'
import { type Rewind, unexplained } from './presence.ts'
import { type CounterExample, type Finding, findingOf, inconclusive } from './verdict.ts'

const isOk = ({ outcome }: Operation): boolean => outcome === 'ok'

/** Returns the key of a row: collection and id. Sent contents have the key collection and digest. */
const idOf = ({ collection, id }: StoredRow): string => `${collection}/${id}`
const responseId = ({ invoke, completion }: Operation): string => `${invoke.collection ?? ''}/${completion?.id}`
const bytesOf = ({ collection, bytes }: StoredRow): string => `${collection}/${bytes}`

const NOTHING_TO_JUDGE = 'nothing was acknowledged'

function nothingAcknowledged(history: readonly Event[]): boolean {
  return !operationsOf(history, 'save').some(isOk)
}

/**
 * Checks that the results `created`, `duplicate`, `deleted` and `absent` can be put in an order in which a content is
 * created at most once between deletions, and is reported as a duplicate only while it is present.
 */
export function createdOnce(history: readonly Event[]): Finding {
  if (nothingAcknowledged(history)) return inconclusive(NOTHING_TO_JUDGE)
  const contents = byContent(history)
  const rewinds = rewindsOf(history)
  const examples = [...contents].flatMap(([content, operations]): readonly CounterExample[] => {
    const stuck = unexplained(operations, undefined, rewinds)
    if (stuck === undefined) return []
    const response = stuck.operation?.completion
    const says = `content ${content} was ${stuck.state} when operation ${response?.op} returned "${response?.result}"`
    return [{ says, events: eventsOf(invokedBefore(operations, response)) }]
  })
  return findingOf(examples, { contents: contents.size })
}

/** Returns the spans in which the store may have been restored to an earlier state. */
function rewindsOf(history: readonly Event[]): readonly Rewind[] {
  return operationsOf(history, 'fault')
    .filter(({ invoke }) => invoke.losesItems === true)
    .map(({ invoke, completion }) => ({ begin: invoke.seq, end: completion?.seq ?? Number.POSITIVE_INFINITY }))
}

/** Returns the operations that can explain a response: those invoked before it. */
function invokedBefore(operations: readonly Operation[], response: Event | undefined): readonly Operation[] {
  return operations.filter(({ invoke }) => response === undefined || invoke.seq < response.seq)
}

/**
 * Checks that every acknowledged content is stored unless it was deleted later, and that every deleted content is
 * absent unless it was saved later.
 */
export function nothingLost(history: readonly Event[], store: FinalStore): Finding {
  if (nothingAcknowledged(history)) return inconclusive(NOTHING_TO_JUDGE)
  const stored = storedContents(history, store)
  const contents = byContent(history)
  const rewinds = rewindsOf(history)
  let acknowledged = 0
  const examples = [...contents].flatMap(([content, operations]): readonly CounterExample[] => {
    if (!operations.some(isOk)) return []
    acknowledged++
    // createdOnce reports responses that fit no order by themselves
    if (unexplained(operations, undefined, rewinds) !== undefined) return []
    const final = stored.has(content) ? 'present' : 'absent'
    if (unexplained(operations, final, rewinds) === undefined) return []
    const says =
      final === 'absent'
        ? `content ${content} was acknowledged and is lost`
        : `content ${content} was deleted and is present`
    return [{ says, events: eventsOf(operations) }]
  })
  return findingOf(examples, { acknowledged, stored: stored.size })
}

/** Returns the contents in the store, identified by their bytes or by the id in their responses. */
function storedContents(history: readonly Event[], store: FinalStore): ReadonlySet<string> {
  const byBytes = contentByBytes(history)
  const byId = contentsById(history)
  return new Set(store.rows.flatMap((row) => [byBytes.get(bytesOf(row)) ?? [], ...(byId.get(idOf(row)) ?? [])].flat()))
}

/** Returns the contents for each id in a response. More than one means that distinct contents share an id. */
function contentsById(history: readonly Event[]): ReadonlyMap<string, ReadonlySet<string>> {
  const contents = new Map<string, Set<string>>()
  for (const op of operationsOf(history, 'save').filter(isOk)) {
    const id = responseId(op)
    contents.set(id, (contents.get(id) ?? new Set()).add(contentOf(op)))
  }
  return contents
}

/** Checks that all responses for a content have one id, which no other content has. */
export function oneId(history: readonly Event[]): Finding {
  const saves = operationsOf(history, 'save').filter(isOk)
  if (saves.length === 0) return inconclusive(NOTHING_TO_JUDGE)
  const byId = contentsById(history)
  const collapsed = [...byId].filter(([, contents]) => contents.size > 1)
  const split = [...Map.groupBy(saves, contentOf)].flatMap(([content, operations]): readonly CounterExample[] => {
    const ids = new Set(operations.map(({ completion }) => completion?.id))
    if (ids.size === 1) return []
    return [{ says: `content ${content} has the ids ${[...ids].join(', ')}`, events: eventsOf(operations) }]
  })
  const merged = collapsed.map(([id]): CounterExample => {
    const operations = saves.filter((op) => responseId(op) === id)
    return { says: `different contents share the id ${id}`, events: eventsOf(operations) }
  })
  return findingOf([...split, ...merged], { ids: byId.size })
}

/** Checks that every stored item was sent with the same bytes. */
export function noPhantom(history: readonly Event[], store: FinalStore): Finding {
  const sent = contentByBytes(history)
  if (sent.size === 0) return inconclusive('nothing was sent')
  const byId = contentsById(history)
  const unsentRows = store.rows.filter((row) => !sent.has(bytesOf(row)))
  const examples = unsentRows
    .filter((row) => !byId.has(idOf(row)))
    .map((row): CounterExample => ({ says: `${idOf(row)} is stored and was never sent`, events: [] }))
  return findingOf(examples, { rows: store.rows.length })
}

/** Checks that the item stored under an id is a content that got this id, in the spelling that was created. */
export function sameContent(history: readonly Event[], store: FinalStore): Finding {
  const saves = operationsOf(history, 'save')
  const acknowledged = Map.groupBy(saves.filter(isOk), responseId)
  if (acknowledged.size === 0) return inconclusive(NOTHING_TO_JUDGE)
  const sent = contentByBytes(history)
  const deleted = new Set(operationsOf(history, 'delete').map(contentOf))
  let compared = 0
  const examples = store.rows.flatMap((row): readonly CounterExample[] => {
    const operations = acknowledged.get(idOf(row))
    if (operations === undefined) return []
    compared++
    const why = differs(row, operations, { sent, deleted })
    return why === undefined ? [] : [{ says: `${idOf(row)} ${why}`, events: eventsOf(operations) }]
  })
  return findingOf(examples, { compared })
}

interface Known {
  readonly sent: ReadonlyMap<string, string>
  readonly deleted: ReadonlySet<string>
}

function differs(row: StoredRow, operations: readonly Operation[], { sent, deleted }: Known): string | undefined {
  const content = sent.get(bytesOf(row))
  if (content === undefined || !operations.some((op) => contentOf(op) === content)) {
    return 'holds other bytes than were sent for it'
  }
  const creators = operations.filter(({ completion }) => completion?.result === 'created')
  // the content was created more than once, so the stored spelling depends on their order
  if (deleted.has(content) || creators.length !== 1 || creators[0]?.invoke.bytes === row.bytes) return undefined
  return 'holds another spelling than the one reported as "created"'
}

/**
 * Checks that no content is stored twice, neither in the rows nor in the log of a store that saves every request. If
 * that store has no fencing, duplicates in its log are only counted.
 */
export function storedOnce(history: readonly Event[], store: FinalStore): Finding {
  if (store.rows.length === 0) return inconclusive('nothing is stored')
  const sent = contentByBytes(history)
  const nameOf = (row: StoredRow): string => sent.get(bytesOf(row)) ?? bytesOf(row)
  const twice = [...Map.groupBy(store.rows, nameOf)].filter(([, rows]) => rows.length > 1)
  const saved = [...Map.groupBy(store.saves ?? [], nameOf)].filter(([, saves]) => saves.length > 1)
  const contents = byContent(history)
  const show = ([content, rows]: readonly [string, readonly StoredRow[]], verb: string): CounterExample => ({
    says: `content ${content} is ${verb} ${rows.length} times`,
    events: eventsOf(contents.get(content) ?? []),
  })
  const examples = [
    ...twice.map((entry) => show(entry, 'stored')),
    ...(store.fencing === 'off' ? [] : saved.map((entry) => show(entry, 'saved'))),
  ]
  return findingOf(examples, { rows: store.rows.length, doubleSaves: saved.length })
}

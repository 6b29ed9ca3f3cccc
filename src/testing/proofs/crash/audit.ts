/** Compares acknowledged items with the store: through the API after each restart, and in the file at the end. */
import type { Agent } from 'node:http'
import type { FileRow } from '../../../drill/final-store/sqlite.ts'
import type { Random } from '../../../std/random.ts'
import { ask, jsonOf } from '../../http/requests.ts'
import type { Account, Ledger } from './ledger.ts'
import { COLLECTION_PATH } from './requests.ts'
import { readStoredFile } from './stored-file.ts'

/** The service under test, and its connections. */
export interface Api {
  readonly url: string
  readonly agent: Agent
}

/** Reads the list of items across rounds, so that each round reads only new items. */
export interface Listing {
  /** Reads the new pages. Records a violation if an item is listed twice. */
  catchUp(api: Api): Promise<void>
  has(id: string): boolean
}

interface PageBody {
  readonly items: readonly { readonly id: string }[]
  readonly next?: string
}

/** Returns a listing that has read no pages. */
export function createListing(ledger: Ledger): Listing {
  /** Ids on complete pages, and on the last page, which may still grow. */
  const settled = new Set<string>()
  let filling = new Set<string>()
  let after: string | undefined

  function take(page: PageBody): void {
    filling = new Set()
    for (const { id } of page.items) {
      if (settled.has(id) || filling.has(id)) ledger.violate(`item ${id} is listed twice`)
      filling.add(id)
    }
  }

  return {
    has: (id) => settled.has(id) || filling.has(id),
    async catchUp({ url, agent }) {
      for (;;) {
        const query = after === undefined ? 'limit=1000' : `limit=1000&after=${after}`
        const page = jsonOf<PageBody>(await ask(`${url}${COLLECTION_PATH}?${query}`, { agent }))
        take(page)
        if (page.next === undefined) return
        for (const id of filling) settled.add(id)
        after = page.next
      }
    },
  }
}

/** Records a violation for each acknowledged item of these accounts that is not listed. */
export async function auditAccounts(
  api: Api,
  ledger: Ledger,
  listing: Listing,
  accounts: readonly Account[],
): Promise<void> {
  await listing.catchUp(api)
  for (const account of accounts) {
    if (account.id !== undefined && !listing.has(account.id)) ledger.violate(`${describe(account)} is not listed`)
  }
}

/** Reads items through the API and compares their bytes, with bounded concurrency. Resolves with their number. */
export async function readBack(api: Api, ledger: Ledger, accounts: readonly Account[]): Promise<number> {
  const queue = accounts.filter((account) => account.id !== undefined)
  const readers = Array.from({ length: 8 }, async () => {
    for (let account = queue.pop(); account !== undefined; account = queue.pop()) {
      await readOne(api, ledger, account)
    }
  })
  const count = queue.length
  await Promise.all(readers)
  return count
}

async function readOne({ url, agent }: Api, ledger: Ledger, account: Account): Promise<void> {
  const response = await ask(`${url}${COLLECTION_PATH}/${account.id}`, { agent })
  if (response.status !== 200) return ledger.violate(`${describe(account)}: GET returned ${response.status}`)
  if (response.headers['content-type'] !== account.content.media || !isAsSent(account, response.body)) {
    ledger.violate(`${describe(account)}: GET returned ${response.headers['content-type']} ${show(response.body)}`)
  }
}

/**
 * Returns true for the spelling of the request that created the item, or for any sent spelling if that request is
 * unknown.
 */
function isAsSent({ content, created, sent }: Account, bytes: Buffer): boolean {
  const possible = created === undefined ? [...sent] : [created.spelling]
  return possible.some((spelling) => content.spellings[spelling]?.equals(bytes) === true)
}

/** Counts the rows of each content in the file: exactly one if it was acknowledged, otherwise at most one. */
export function auditFile(ledger: Ledger, data: string): { readonly rows: number } {
  const accounts = new Map<string, Account>()
  for (const account of ledger.accounts) {
    for (const bytes of account.content.spellings) accounts.set(keyOf(account.content.media, bytes), account)
  }
  const found = new Map<Account, FileRow[]>()
  const rows = readStoredFile(data)
  for (const row of rows) {
    const account = accounts.get(keyOf(row.media, row.content))
    if (account === undefined)
      ledger.violate(`the file holds an item that was never sent: ${row.id} ${show(row.content)}`)
    else found.set(account, [...(found.get(account) ?? []), row])
  }
  for (const account of ledger.accounts) auditRows(ledger, account, found.get(account) ?? [])
  return { rows: rows.length }
}

function auditRows(ledger: Ledger, account: Account, rows: readonly FileRow[]): void {
  const [row] = rows
  if (rows.length > 1) ledger.violate(`${describe(account)} is in the file ${rows.length} times`)
  if (account.id === undefined) return
  if (row === undefined) return ledger.violate(`${describe(account)} is not in the file`)
  if (row.id !== account.id || !isAsSent(account, row.content)) {
    ledger.violate(`${describe(account)} is in the file as ${row.id} ${show(row.content)}`)
  }
}

function keyOf(media: string, bytes: Buffer): string {
  return `${media} ${bytes.toString('latin1')}`
}

function describe({ content, id, ackedInRound, created }: Account): string {
  const by = created === undefined ? '' : `, created by request ${created.request}`
  const known = id === undefined ? 'never acknowledged' : `acknowledged in round ${ackedInRound} as ${id}${by}`
  return `content ${content.number} (${known})`
}

function show(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  return text.length <= 200 ? text : `${text.slice(0, 200)}... (${bytes.length} bytes)`
}

/** Returns `size` random elements. */
export function sampleOf<T>(from: readonly T[], size: number, random: Random): readonly T[] {
  return from.length <= size ? from : Array.from({ length: size }, () => random.pick(from))
}

/** What was acknowledged against what is there: through the API after each restart, and in the file at the end. */
import type { Agent } from 'node:http'
import type { FileRow } from '../../../drill/final-store/sqlite.ts'
import type { Random } from '../../../std/random.ts'
import { ask, jsonOf } from '../../http/requests.ts'
import type { Account, Ledger } from './ledger.ts'
import { COLLECTION_PATH } from './requests.ts'
import { readStoredFile } from './stored-file.ts'

/** The service under proof, and the connections to it. */
export interface Api {
  readonly url: string
  readonly agent: Agent
}

/** Follows the list of items from round to round, so that each round reads only what came with it. */
export interface Listing {
  /** Reads on. Violates when an item is listed twice. */
  catchUp(api: Api): Promise<void>
  has(id: string): boolean
}

interface PageBody {
  readonly items: readonly { readonly id: string }[]
  readonly next?: string
}

export function createListing(ledger: Ledger): Listing {
  /** Ids on pages that are full and behind us, and on the page that is still filling. */
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

/** Every acknowledged item of these accounts must be listed. */
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

/** Reads items back through the API byte by byte, some at a time; resolves with how many. */
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
  const answer = await ask(`${url}${COLLECTION_PATH}/${account.id}`, { agent })
  if (answer.status !== 200) return ledger.violate(`${describe(account)}: GET answers ${answer.status}`)
  if (answer.headers['content-type'] !== account.content.media || !isAsSent(account, answer.body)) {
    ledger.violate(`${describe(account)}: GET answers ${answer.headers['content-type']} ${show(answer.body)}`)
  }
}

/** The spelling of the request that created the item, or any spelling that was sent if that request is unknown. */
function isAsSent({ content, created, sent }: Account, bytes: Buffer): boolean {
  const possible = created === undefined ? [...sent] : [created.spelling]
  return possible.some((spelling) => content.spellings[spelling]?.equals(bytes) === true)
}

/** Rows per content, counted in the file: one of each that was acknowledged, at most one of what was only sent. */
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

/** So many of them, by chance. */
export function sampleOf<T>(from: readonly T[], size: number, random: Random): readonly T[] {
  return from.length <= size ? from : Array.from({ length: size }, () => random.pick(from))
}

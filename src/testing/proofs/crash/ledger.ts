/**
 * The books of the crash proof: what was sent, what was acknowledged, and whether the acknowledgements agree among
 * themselves. Judged here, as they come:
 * - a content has one id and one first-seen time, whoever is told;
 * - a content is created by one request at most, for ever (nothing is deleted in this proof);
 * - what was acknowledged before a request was sent is not created by that request.
 */
import type { Content, Entry } from '../../../drill/workloads/content.ts'

export interface Acknowledgement {
  readonly entry: Entry
  readonly id: string
  readonly status: 'created' | 'duplicate'
  /** Answers in streams have none. */
  readonly firstSeen?: string
  readonly request: SentRequest
  /** The answer is an earlier one, repeated under its Idempotency-Key. */
  readonly replayed?: boolean
}

/** One item of a request; sent again under the request's Idempotency-Key it keeps its name. */
export interface SentRequest {
  readonly name: string
  /** What `Ledger.tick` gave when it was sent. */
  readonly sentAt: number
}

/** All that is known of one content. */
export interface Account {
  readonly content: Content
  /** Spellings that were sent at all. */
  readonly sent: Set<number>
  /** The first acknowledgement, once there is one. */
  id: string | undefined
  firstSeen: string | undefined
  ackedInRound: number | undefined
  ackedAt: number
  /** The request that was told `created`, and the spelling that is therefore stored. */
  created: { readonly request: string; readonly spelling: number } | undefined
}

export interface Ledger {
  readonly violations: readonly string[]
  readonly accounts: readonly Account[]
  /** Acknowledgements so far, those of repeated contents included. */
  readonly acknowledgements: number
  /** Begins a round: its number is part of every violation. */
  beginRound(round: number): void
  /** A moment in the order of things sent and acknowledged. */
  tick(): number
  send(entry: Entry): void
  acknowledge(ack: Acknowledgement): void
  violate(what: string): void
  /** Accounts acknowledged for the first time in the round that is under way. */
  fresh(): readonly Account[]
}

export function createLedger(): Ledger {
  const accounts = new Map<number, Account>()
  const violations: string[] = []
  let round = 0
  let now = 0
  let acknowledgements = 0

  function accountOf(content: Content): Account {
    const known = accounts.get(content.number)
    if (known !== undefined) return known
    const made: Account = {
      content,
      sent: new Set(),
      id: undefined,
      firstSeen: undefined,
      ackedInRound: undefined,
      ackedAt: Number.POSITIVE_INFINITY,
      created: undefined,
    }
    accounts.set(content.number, made)
    return made
  }

  const violate = (what: string): void => void violations.push(`round ${round}: ${what}`)

  function checkCreated(account: Account, { request, status, entry, replayed }: Acknowledgement): void {
    if (status !== 'created') return
    const before = account.created
    const who = `content ${entry.content.number} is created by request ${request.name}`
    if (before !== undefined && before.request !== request.name) {
      violate(`${who}, and was by request ${before.request} (first acknowledged in round ${account.ackedInRound})`)
    } else if (replayed !== true && account.ackedAt < request.sentAt) {
      violate(`${who}, which was sent after it had been acknowledged (in round ${account.ackedInRound})`)
    }
    account.created ??= { request: request.name, spelling: entry.spelling }
  }

  return {
    violations,
    get accounts() {
      return [...accounts.values()]
    },
    get acknowledgements() {
      return acknowledgements
    },
    beginRound: (next) => void (round = next),
    tick: () => ++now,
    send: (entry) => void accountOf(entry.content).sent.add(entry.spelling),
    acknowledge(ack) {
      acknowledgements++
      const account = accountOf(ack.entry.content)
      const { number } = ack.entry.content
      checkCreated(account, ack)
      if (account.id !== undefined && account.id !== ack.id)
        violate(`content ${number} has ids ${account.id}, ${ack.id}`)
      if (ack.firstSeen !== undefined && account.firstSeen !== undefined && account.firstSeen !== ack.firstSeen) {
        violate(`content ${number} was first seen ${account.firstSeen}, then ${ack.firstSeen}`)
      }
      account.id ??= ack.id
      account.firstSeen ??= ack.firstSeen
      account.ackedInRound ??= round
      account.ackedAt = Math.min(account.ackedAt, ++now)
    },
    violate,
    fresh: () => [...accounts.values()].filter((account) => account.ackedInRound === round),
  }
}

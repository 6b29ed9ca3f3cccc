/**
 * Records the requests and acknowledgements of the crash proof, and checks that the acknowledgements agree. It checks
 * each one as it arrives:
 * - A content has one id and one first-seen time in all responses.
 * - At most one request creates a content, because nothing is deleted in this proof.
 * - A request that was sent after an acknowledgement of the content does not create it.
 */
import type { Content, Entry } from '../../../drill/workloads/content.ts'

/** The result of one item in an accepted response. */
export interface Acknowledgement {
  readonly entry: Entry
  readonly id: string
  readonly status: 'created' | 'duplicate'
  /** Absent in responses to streams. */
  readonly firstSeen?: string
  readonly request: SentRequest
  /** True if the response repeats an earlier one for its Idempotency-Key. */
  readonly replayed?: boolean
}

/** One item of a request. It keeps its name when it is sent again under the request's Idempotency-Key. */
export interface SentRequest {
  readonly name: string
  /** Value of `Ledger.tick` when it was sent. */
  readonly sentAt: number
}

/** Known facts about one content. */
export interface Account {
  readonly content: Content
  /** Spellings that were sent. */
  readonly sent: Set<number>
  /** Id of the first acknowledgement, if there is one. */
  id: string | undefined
  firstSeen: string | undefined
  ackedInRound: number | undefined
  ackedAt: number
  /** The request with the result `created`, and its spelling, which must be the stored one. */
  created: { readonly request: string; readonly spelling: number } | undefined
}

/** Requests and acknowledgements of one run of the proof. */
export interface Ledger {
  readonly violations: readonly string[]
  readonly accounts: readonly Account[]
  /** Number of acknowledgements so far, including those of repeated contents. */
  readonly acknowledgements: number
  /** Begins a round. Every violation contains its number. */
  beginRound(round: number): void
  /** Returns the next position in the order of requests and acknowledgements. */
  tick(): number
  send(entry: Entry): void
  acknowledge(ack: Acknowledgement): void
  violate(what: string): void
  /** Returns the accounts whose first acknowledgement is in the current round. */
  fresh(): readonly Account[]
}

/** Returns an empty ledger. */
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
      violate(
        `${who}, and was created by request ${before.request} (first acknowledged in round ${account.ackedInRound})`,
      )
    } else if (replayed !== true && account.ackedAt < request.sentAt) {
      violate(`${who}, which was sent after its acknowledgement (in round ${account.ackedInRound})`)
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

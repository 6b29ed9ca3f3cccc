/**
 * One vote of all nodes, counted by the `redlock` package (4.2.0) with a single attempt. Additions to the package: the
 * caller supplies the token, so that a repeated attempt finds its own votes; the replies of the nodes are kept, which
 * distinguishes contention from outages; a failed renewal leaves existing votes in place.
 *
 * The package uses the wall clock to decide whether a quorum came too late. The caller of `vote` decides this again
 * with the monotonic clock. A wall clock that jumps can therefore at most refuse a lock that was available.
 */
import Redlock from 'redlock'
import { loadScript } from '../../../redis/script.ts'
import type { Key, Token } from '../../lock.ts'
import { DRIFT } from './lease.ts'
import type { Node } from './node.ts'

/**
 * The replies of the nodes. `no` holds the remaining lease of each refusal in milliseconds, 0 from a node without a
 * lease.
 */
export interface Votes {
  readonly elected: boolean
  readonly yes: number
  readonly no: readonly number[]
  /** The errors of nodes that did not reply, replied with an error, or gave a vote that does not count. */
  readonly uncounted: readonly unknown[]
}

export type VoteKind = 'acquire' | 'extend' | 'release'

export interface VoteRequest {
  readonly key: Key
  readonly token: Token
  /** Ignored for a release. */
  readonly ttlMs: number
  /** Nothing is sent after it has aborted. */
  readonly signal: AbortSignal
}

const ACQUIRE = loadScript('acquire', import.meta.url).text
const EXTEND = loadScript('extend', import.meta.url).text
/** The script that the package sends to all nodes after a failed renewal, instead of its release. It does nothing. */
const KEEP = 'return 0'

type Reply = (error: Error | null, result?: unknown) => void

/** The two commands that the package sends, with its signatures. */
interface Voter {
  evalsha(sha: string, args: readonly (string | number)[], reply: Reply): void
  eval(args: readonly (string | number)[], reply: Reply): void
}

/** The first reply of one node. Later commands of the package, which undo a failed vote, are not counted. */
interface NodeVote {
  reply?: unknown
  error?: unknown
}

const isEmpty = (nodeVote: NodeVote): boolean => !('reply' in nodeVote) && !('error' in nodeVote)

interface Outcome {
  readonly error: Error | null
  readonly result?: unknown
}

const errorOf = (error: unknown): Outcome => ({ error: error instanceof Error ? error : new Error(String(error)) })

async function forward(work: Promise<unknown>, nodeVote: NodeVote, reply: Reply): Promise<void> {
  const { error, result } = await work.then((value): Outcome => ({ error: null, result: value }), errorOf)
  // the package sends the complete script next, and its reply counts
  const unknownScript = error?.message.startsWith('NOSCRIPT') === true
  if (isEmpty(nodeVote) && !unknownScript) Object.assign(nodeVote, error === null ? { reply: result } : { error })
  reply(error, result)
}

const unsent = (): Promise<never> => Promise.reject(new Error('the caller gave up before the command was sent'))

/** Sends a command. A vote for this client becomes an error unless the node is eligible when it is sent. */
async function countedOnly(node: Node, send: () => Promise<unknown>): Promise<unknown> {
  const doubt = node.eligibleInMs() === 0 ? undefined : node.ineligibility()
  const reply = await send()
  if (doubt !== undefined && reply === 1) throw doubt
  return reply
}

/**
 * A refusal counts from any node, because it can only prevent a grant. So does a release, because it acquires nothing.
 */
function voterOf(node: Node, kind: VoteKind, nodeVote: NodeVote, signal: AbortSignal): Voter {
  const { client } = node
  const ask = (send: () => Promise<unknown>): Promise<unknown> => {
    if (signal.aborted) return unsent()
    return kind === 'release' ? send() : countedOnly(node, send)
  }
  return {
    evalsha: (sha, [count = 0, ...rest], reply) =>
      void forward(
        ask(() => client.evalsha(sha, count, ...rest)),
        nodeVote,
        reply,
      ),
    eval: ([text = '', count = 0, ...rest], reply) =>
      void forward(
        ask(() => client.eval(String(text), count, ...rest)),
        nodeVote,
        reply,
      ),
  }
}

/**
 * Starts the vote. The package's `extend` accepts a token, and its `acquire` does not. With other scripts, `extend`
 * does both.
 */
function startVote(redlock: Redlock, kind: VoteKind, { key, token, ttlMs }: VoteRequest): PromiseLike<unknown> {
  const lock = new Redlock.Lock(redlock, key, token, Number.MAX_SAFE_INTEGER, 0)
  return kind === 'release' ? redlock.unlock(lock) : redlock.extend(lock, ttlMs)
}

function countVotes(nodeVotes: readonly NodeVote[], elected: boolean): Votes {
  const replies = nodeVotes.filter((r) => 'reply' in r).map((r) => Number(r.reply))
  return {
    elected,
    yes: replies.filter((a) => a === 1).length,
    no: replies.filter((a) => a !== 1).map((a) => Math.max(0, -a)),
    uncounted: nodeVotes.filter((r) => !('reply' in r)).map((r) => r.error),
  }
}

/** Asks all nodes once. Resolves when all have replied or timed out. Never rejects. */
export async function vote(nodes: readonly Node[], kind: VoteKind, request: VoteRequest): Promise<Votes> {
  const nodeVotes = nodes.map((): NodeVote => ({}))
  const voters = nodes.map((node, i) => voterOf(node, kind, nodeVotes[i] ?? {}, request.signal))
  const redlock = new Redlock(voters, {
    retryCount: 0,
    driftFactor: DRIFT,
    extendScript: () => (kind === 'extend' ? EXTEND : ACQUIRE),
    ...(kind === 'extend' ? { unlockScript: () => KEEP } : {}),
  })
  const elected = await startVote(redlock, kind, request).then(
    () => true,
    () => false,
  )
  return countVotes(nodeVotes, elected)
}

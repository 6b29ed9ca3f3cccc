/**
 * One vote over all nodes, counted by the `redlock` package (4.2.0) with a single attempt. What it adds to the package:
 * the token is the caller's, so that a repeated attempt finds its own votes; the answers of the nodes are kept, so that
 * "no quorum" is told apart into contention and outage; and a lease's renewal that fails leaves the votes that stand.
 *
 * The package decides by the wall clock whether a quorum came too late. Its caller decides that again by the monotonic
 * clock: a wall clock that jumps can at most refuse a lock that could have been had.
 */
import Redlock from 'redlock'
import { loadScript } from '../../../redis/script.ts'
import type { Key, Token } from '../../lock.ts'
import { DRIFT } from './lease.ts'
import type { Node } from './node.ts'

/** What the nodes said. `no` holds each refusal's remaining lease in ms; 0 for a node that knew of none. */
export interface Votes {
  readonly elected: boolean
  readonly yes: number
  readonly no: readonly number[]
  /** Of the nodes that did not answer, answered with an error, or gave a vote that does not count: why. */
  readonly silent: readonly unknown[]
}

export type Motion = 'acquire' | 'extend' | 'release'

export interface Question {
  readonly key: Key
  readonly token: Token
  /** Ignored for a release. */
  readonly ttlMs: number
  /** Nothing is sent for a caller who has given up. */
  readonly signal: AbortSignal
}

const ACQUIRE = loadScript('acquire', import.meta.url).text
const EXTEND = loadScript('extend', import.meta.url).text
/** What the package sends to all nodes after a failed renewal instead of its release: nothing happens. */
const KEEP = 'return 0'

type Reply = (error: Error | null, result?: unknown) => void

/** The two commands that the package sends, in the way in which it calls them. */
interface Voter {
  evalsha(sha: string, args: readonly (string | number)[], reply: Reply): void
  eval(args: readonly (string | number)[], reply: Reply): void
}

/** What one node said to the motion. The package may send more, to undo a vote that failed: no votes of ours. */
interface Slip {
  answer?: unknown
  error?: unknown
}

const blank = (slip: Slip): boolean => !('answer' in slip) && !('error' in slip)

interface Outcome {
  readonly error: Error | null
  readonly result?: unknown
}

const errorOf = (error: unknown): Outcome => ({ error: error instanceof Error ? error : new Error(String(error)) })

async function answer(work: Promise<unknown>, slip: Slip, reply: Reply): Promise<void> {
  const { error, result } = await work.then((value): Outcome => ({ error: null, result: value }), errorOf)
  // the package sends the whole script next, and that one is answered
  const unknownScript = error?.message.startsWith('NOSCRIPT') === true
  if (blank(slip) && !unknownScript) Object.assign(slip, error === null ? { answer: result } : { error })
  reply(error, result)
}

const unsent = (): Promise<never> => Promise.reject(new Error('the caller gave up before the command was sent'))

/** The reply to a command that is sent now; a vote for us is an error unless its node counts now. */
async function countedOnly(node: Node, send: () => Promise<unknown>): Promise<unknown> {
  const doubt = node.countsInMs() === 0 ? undefined : node.doubt()
  const reply = await send()
  if (doubt !== undefined && reply === 1) throw doubt
  return reply
}

/** A refusal counts from any node: it can only keep us from a lock. So does a release: it takes nothing. */
function voterOf(node: Node, motion: Motion, slip: Slip, signal: AbortSignal): Voter {
  const { client } = node
  const ask = (send: () => Promise<unknown>): Promise<unknown> => {
    if (signal.aborted) return unsent()
    return motion === 'release' ? send() : countedOnly(node, send)
  }
  return {
    evalsha: (sha, [count = 0, ...rest], reply) =>
      void answer(
        ask(() => client.evalsha(sha, count, ...rest)),
        slip,
        reply,
      ),
    eval: ([text = '', count = 0, ...rest], reply) =>
      void answer(
        ask(() => client.eval(String(text), count, ...rest)),
        slip,
        reply,
      ),
  }
}

/** The package's `extend` takes a token from outside, which its `acquire` does not: with other scripts it is both. */
function propose(redlock: Redlock, motion: Motion, { key, token, ttlMs }: Question): PromiseLike<unknown> {
  const lock = new Redlock.Lock(redlock, key, token, Number.MAX_SAFE_INTEGER, 0)
  return motion === 'release' ? redlock.unlock(lock) : redlock.extend(lock, ttlMs)
}

function countVotes(slips: readonly Slip[], elected: boolean): Votes {
  const answers = slips.filter((r) => 'answer' in r).map((r) => Number(r.answer))
  return {
    elected,
    yes: answers.filter((a) => a === 1).length,
    no: answers.filter((a) => a !== 1).map((a) => Math.max(0, -a)),
    silent: slips.filter((r) => !('answer' in r)).map((r) => r.error),
  }
}

/** Asks all nodes once. Resolves when all have answered or timed out; never rejects. */
export async function vote(nodes: readonly Node[], motion: Motion, question: Question): Promise<Votes> {
  const slips = nodes.map((): Slip => ({}))
  const voters = nodes.map((node, i) => voterOf(node, motion, slips[i] ?? {}, question.signal))
  const redlock = new Redlock(voters, {
    retryCount: 0,
    driftFactor: DRIFT,
    extendScript: () => (motion === 'extend' ? EXTEND : ACQUIRE),
    ...(motion === 'extend' ? { unlockScript: () => KEEP } : {}),
  })
  const elected = await propose(redlock, motion, question).then(
    () => true,
    () => false,
  )
  return countVotes(slips, elected)
}

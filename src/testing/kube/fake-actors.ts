/** Connections of an operator that record their commands. The contract tests run the same code on real servers. */
import type { Actors } from '../../operator/topology/act.ts'
import type { Commands } from '../../redis/probe.ts'

export interface FakeActors {
  readonly actors: Actors
  /** Commands so far, as `POD COMMAND ARGUMENTS`. */
  readonly sent: readonly string[]
  /** Numbers above which the own number was raised. */
  readonly raised: readonly number[]
  /** Ends the term. */
  readonly end: () => void
}

export interface FakeActorsOptions {
  /** Lines of CLIENT LIST on every server. Default: none. */
  readonly clients?: readonly string[]
  /** Pods without a connection. Default: none. */
  readonly absent?: readonly string[]
  /** Returns the reply to another command, `POD COMMAND ARGUMENTS`; may throw. Default: OK. */
  readonly reply?: (command: string) => unknown
}

/** The operator has number 7. */
export function fakeActors({ clients = [], absent = [], reply = () => 'OK' }: FakeActorsOptions = {}): FakeActors {
  const sent: string[] = []
  const raised: number[] = []
  let isOver = false
  const connectionTo = (pod: string): Commands | undefined =>
    absent.includes(pod)
      ? undefined
      : {
          async call(command, ...args) {
            const line = [pod, command, ...args].join(' ')
            sent.push(line)
            return line.endsWith('CLIENT LIST') ? clients.join('\n') : reply(line)
          },
        }
  return {
    sent,
    raised,
    end: () => void (isOver = true),
    actors: {
      authority: {
        number: 7,
        assertHeld() {
          if (isOver) throw new Error('the term is over')
        },
        raiseAbove: async (number) => void raised.push(number),
      },
      serverOf: connectionTo,
      sentinelOf: connectionTo,
      masterName: 'ingot',
    },
  }
}

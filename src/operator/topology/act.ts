/** Carries out actions of a plan over the connections of the probes. */
import { IngotError } from '../../errors/error.ts'
import type { Commands } from '../../redis/probe.ts'
import type { Address } from '../../redis/topology/roles.ts'
import type { Action } from './plan.ts'

/** Name of the connections of an operator that repairs. Pods of the chart leave repairs to it while they see one. */
export const OPERATOR_NAME = 'ingot-operator'
/** Name of the connections of an operator that only observes. */
export const OBSERVER_NAME = 'ingot-observer'

/** The term of leadership under which actions happen. */
export interface Authority {
  /** Rises with each term, so it is a fence. */
  readonly number: number
  /** Throws when leadership has ended. */
  assertHeld(): void
  /** Raises the number above another one that was seen. Rejects when leadership was lost. */
  raiseAbove(number: number): Promise<void>
}

export interface Actors {
  readonly authority: Authority
  /** Return the connection to the server or Sentinel of a pod; undefined without one. */
  readonly serverOf: (pod: string) => Commands | undefined
  readonly sentinelOf: (pod: string) => Commands | undefined
  readonly masterName: string
}

/** Rejects with TOPOLOGY_UNOBSERVABLE if there is no connection, or with the error of the server. */
export async function carryOut(action: Action, actors: Actors): Promise<void> {
  switch (action.kind) {
    case 'Demote':
    case 'Repoint':
      return follow(action.pod, action.address, actors)
    case 'ResetSentinel':
      return toSentinel(actors, action.pod, ['SENTINEL', 'RESET', actors.masterName])
    case 'Meet':
      return toServer(actors, action.pod, ['CLUSTER', 'MEET', action.address.host, action.address.port])
    case 'FormCluster':
      for (const { pod, from, to } of action.shards) await toServer(actors, pod, ['CLUSTER', 'ADDSLOTSRANGE', from, to])
      return
    case 'AttachReplica':
      return toServer(actors, action.pod, ['CLUSTER', 'REPLICATE', action.primaryId])
    case 'MovePrimary':
      return toServer(actors, action.pod, ['CLUSTER', 'FAILOVER'])
    default:
      return action satisfies never
  }
}

async function follow(pod: string, { host, port }: Address, actors: Actors): Promise<void> {
  await toServer(actors, pod, ['REPLICAOF', host, port])
  // clients connect again, to the primary
  await toServer(actors, pod, ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
}

type Command = readonly [string, ...(readonly (string | number)[])]

/** Sends a command that changes something to the server of a pod, after `claim`. Rejects as `carryOut`. */
export function toServer(actors: Actors, pod: string, command: Command): Promise<void> {
  return send(actors.serverOf(pod), pod, actors.authority, command)
}

/** Sends a command that changes something to the Sentinel of a pod, after `claim`. Rejects as `carryOut`. */
export function toSentinel(actors: Actors, pod: string, command: Command): Promise<void> {
  return send(actors.sentinelOf(pod), pod, actors.authority, command)
}

async function send(
  server: Commands | undefined,
  pod: string,
  authority: Authority,
  [command, ...args]: Command,
): Promise<void> {
  if (server === undefined) throw new IngotError('TOPOLOGY_UNOBSERVABLE', `there is no connection to ${pod}`)
  await claim(server, authority)
  authority.assertHeld()
  await server.call(command, ...args)
}

interface Rival {
  readonly id: string
  readonly number: number
}

/**
 * Ends the connections of operators with a lower number, whose terms are over. An operator with a higher number means that
 * the Lease began anew: then the own number rises above it, and the next poll acts under the new one.
 */
async function claim(server: Commands, authority: Authority): Promise<void> {
  const rivals = rivalsIn(String(await server.call('CLIENT', 'LIST')), authority.number)
  const highest = Math.max(...rivals.map(({ number }) => number))
  if (highest > authority.number) {
    await authority.raiseAbove(highest)
    throw new IngotError('TOPOLOGY_UNOBSERVABLE', `an operator with the number ${highest} is connected: acting later`)
  }
  for (const { id } of rivals) {
    authority.assertHeld()
    await server.call('CLIENT', 'KILL', 'ID', id)
  }
}

/** Returns the connections of operators with another number, from the reply to CLIENT LIST. */
export function rivalsIn(list: string, own: number): readonly Rival[] {
  return list.split('\n').flatMap((line) => {
    const [, id = '', number] =
      new RegExp(`(?:^|\\s)id=(\\d+) .*\\sname=${OPERATOR_NAME}:(\\d+)(?:\\s|$)`).exec(line) ?? []
    return number === undefined || Number(number) === own ? [] : [{ id, number: Number(number) }]
  })
}

import { expect, test } from 'vitest'
import type { Pod } from '../../kube/pods.ts'
import type { ServerRole } from '../../redis/topology/roles.ts'
import { placementOf } from './placement.ts'

const pod = (name: string, node: string, component = 'redis'): Pod => ({
  name,
  node,
  component,
  uid: name,
  ready: true,
  leaving: false,
  image: '',
  imageId: '',
  container: component,
  containerId: name,
  restarts: 0,
  ip: '',
  host: '',
  sharesProcesses: false,
})
const role = (name: string, kind: ServerRole['role'], cluster?: readonly [string, string]): ServerRole => ({
  pod: name,
  role: kind,
  synced: true,
  replicas: 0,
  ...(cluster === undefined
    ? {}
    : { cluster: { ok: true, id: cluster[0], primaryId: cluster[1], slots: kind === 'primary' ? 5_000 : 0 } }),
})

const ANCHORS = [pod('pg', 'w3', 'postgres'), pod('load', 'w3', 'load')]
const PODS = [...ANCHORS, pod('r0', 'w1'), pod('r1', 'w2'), pod('r2', 'w3')]

test('the node of the primary is frozen if it holds nothing that the drill needs', () => {
  const roles = [role('r0', 'primary'), role('r1', 'replica'), role('r2', 'replica')]
  expect(placementOf(PODS, roles)).toEqual({ kind: 'freeze', node: 'w1', primary: 'r0' })
})

test('a primary on the node of Postgres fails over first', () => {
  const roles = [role('r0', 'replica'), role('r1', 'replica'), role('r2', 'primary')]
  expect(placementOf(PODS, roles)).toEqual({ kind: 'promote', replica: 'r0', insteadOf: 'r2' })
})

test('in a cluster a node with two primaries, or with a primary and its replica, is not frozen', () => {
  const pods = [...ANCHORS, ...['w1', 'w1', 'w2', 'w2', 'w3', 'w3'].map((node, index) => pod(`r${index}`, node))]
  const beside = [
    role('r0', 'primary', ['a', '']),
    role('r1', 'replica', ['d', 'a']),
    role('r2', 'primary', ['b', '']),
    role('r3', 'replica', ['e', 'c']),
    role('r4', 'primary', ['c', '']),
    role('r5', 'replica', ['f', 'b']),
  ]
  expect(placementOf(pods, beside)).toEqual({ kind: 'freeze', node: 'w2', primary: 'r2' })
  const two = [
    role('r0', 'primary', ['a', '']),
    role('r1', 'primary', ['b', '']),
    role('r2', 'replica', ['d', 'a']),
    role('r3', 'replica', ['e', 'c']),
    role('r4', 'primary', ['c', '']),
    role('r5', 'replica', ['f', 'b']),
  ]
  expect(placementOf(pods, two)).toEqual({ kind: 'promote', replica: 'r2', insteadOf: 'r0' })
})

test('without a node that can be frozen there is no placement', () => {
  const pods = [...ANCHORS, pod('r0', 'w3'), pod('r1', 'w3')]
  expect(placementOf(pods, [role('r0', 'primary'), role('r1', 'replica')])).toMatchObject({ kind: 'impossible' })
})

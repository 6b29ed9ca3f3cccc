import { expect, test } from 'vitest'
import { type Pod, unready } from './pods.ts'

const pod = (name: string, more: Partial<Pod> = {}): Pod => ({
  name,
  uid: name,
  component: 'redis',
  node: 'w1',
  ready: true,
  leaving: false,
  image: '',
  imageId: '',
  container: 'redis',
  containerId: name,
  restarts: 0,
  ip: '',
  host: '',
  sharesProcesses: false,
  ...more,
})

const WANTED = { redis: 2, sentinel: 0 }

test('there is no difference if all wanted pods are ready', () => {
  expect(unready([pod('r0'), pod('r1'), pod('pg', { component: 'postgres' })], WANTED)).toEqual([])
})

test.each<[string, readonly Pod[], string]>([
  ['is missing', [pod('r0')], 'redis: 1 of 2 ready'],
  ['is not ready', [pod('r0'), pod('r1', { ready: false })], 'redis: 1 of 2 ready'],
  ['is being deleted', [pod('r0'), pod('r1', { leaving: true })], 'redis: 1 of 2 ready'],
  ['is too many', [pod('r0'), pod('r1'), pod('r2')], 'redis: 3 of 2 ready, 3 present'],
  [
    'is deleted beside the wanted ones',
    [pod('r0'), pod('r1'), pod('r2', { leaving: true })],
    'redis: 2 of 2 ready, 3 present',
  ],
])('a pod that %s is a difference', (_, pods, problem) => {
  expect(unready(pods, WANTED)).toEqual([problem])
})

import { expect, test } from 'vitest'
import { parsePrimaryHost, parseSentinelFields, parseSentinelPeers } from './sentinel-replies.ts'

const PEERS = `name
a1
ip
127.0.0.1
port
5001
runid

flags
sentinel
name
b2
ip
127.0.0.1
port
5002
runid
ff
flags
s_down,sentinel,disconnected`

test('each Sentinel of the list has its port and flags', () => {
  expect(parseSentinelPeers(PEERS)).toEqual([
    { port: 5001, flags: ['sentinel'] },
    { port: 5002, flags: ['s_down', 'sentinel', 'disconnected'] },
  ])
  expect(parseSentinelPeers('')).toEqual([])
})

test('fields are names and values in turn, also when a value is empty', () => {
  expect(Object.fromEntries(parseSentinelFields('name\ningot\nrunid\n\nnum-slaves\n2'))).toEqual({
    name: 'ingot',
    runid: '',
    'num-slaves': '2',
  })
})

test('the primary is the first line, or none', () => {
  expect(parsePrimaryHost('r-0.d\n6379\n')).toBe('r-0.d')
  expect(parsePrimaryHost('')).toBeUndefined()
  expect(parsePrimaryHost('\n')).toBeUndefined()
})

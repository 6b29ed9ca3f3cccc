import { expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { describeTopology, parseRedisUrl } from './redis-url.ts'

test('parses one server with all options', () => {
  expect(parseRedisUrl('rediss://app:s%40cr%3At@cache.example:7000/3?ca=/etc/ca.pem&timeout=250ms')).toEqual({
    kind: 'standalone',
    endpoint: { host: 'cache.example', port: 7000 },
    database: 3,
    credentials: { user: 'app', password: 's@cr:t' },
    tls: { ca: '/etc/ca.pem' },
    timeoutMs: 250,
  })
})

test('parses Sentinels, the name of the primary and their own password', () => {
  expect(parseRedisUrl('redis+sentinel://:pw@a,b:26380,[::1]/main?db=2&sentinel-password=other')).toEqual({
    kind: 'sentinel',
    sentinels: [
      { host: 'a', port: 26379 },
      { host: 'b', port: 26380 },
      { host: '::1', port: 26379 },
    ],
    masterName: 'main',
    database: 2,
    credentials: { password: 'pw' },
    sentinelCredentials: { password: 'other' },
  })
})

test('parses a cluster and independent servers', () => {
  expect(parseRedisUrl('redis+cluster://a,b:7001')).toMatchObject({ kind: 'cluster', seeds: [{}, { port: 7001 }] })
  expect(parseRedisUrl('redlock://a,b,c?tls=true')).toMatchObject({ kind: 'independent', tls: {} })
})

test.each([
  ['', 'expected redis://'],
  ['http://a', 'expected redis://'],
  ['redis://', 'is no address'],
  ['redis://a:99999', 'is no address'],
  ['redis://a,b', 'names one server'],
  ['redis://a/x', 'no database number'],
  ['redis://a?tsl=true', 'unknown option "tsl"'],
  ['redis://a?tls=yes', '"tls" is true or false'],
  ['rediss://a?tls=false', 'contradicts'],
  ['redis://a?cert=/c', '"cert" and "key" belong together'],
  ['redis://a?timeout=soon', 'duration such as 500ms'],
  ['redis://%zz@a', 'percent-encoded'],
  ['redis+sentinel://a', 'name of the master'],
  ['redis+cluster://a/1', 'no databases'],
  ['redlock://a,b', 'at least three'],
  ['redlock://a,b,a', 'twice'],
])('refuses %s', (url, problem) => {
  expect(() => parseRedisUrl(url)).toThrow(problem)
})

test('neither a description nor an error shows a password', () => {
  expect(describeTopology(parseRedisUrl('redis://u:secret@a'))).not.toContain('secret')
  const thrown = [() => parseRedisUrl('redis://u:secret@a:b'), () => parseRedisUrl('redis://u:sec/secret@a')].map(
    (f) => {
      try {
        return f()
      } catch (error) {
        return error
      }
    },
  )
  for (const error of thrown) {
    expect(error).toBeInstanceOf(IngotError)
    expect(String(error)).not.toContain('secret')
  }
})

import { describe, expect, test } from 'vitest'
import { leaseOptionsOf, leaseTermsOf, waitOf } from './terms.ts'

describe('the wait', () => {
  test('has no end by default', () => {
    expect(waitOf(undefined, false)).toEqual({ kind: 'for', ms: Number.POSITIVE_INFINITY })
    expect(waitOf('40s', false)).toEqual({ kind: 'for', ms: 40_000 })
  })

  test('is one attempt with --no-wait and with --wait 0s', () => {
    expect(waitOf(undefined, true)).toEqual({ kind: 'once' })
    expect(waitOf('0s', false)).toEqual({ kind: 'once' })
  })

  test.each([
    ['40', false, '--wait is "40"'],
    ['-1s', false, '--wait is "-1s"'],
    ['1s', true, 'contradict'],
  ])('is refused for --wait %s with --no-wait %s', (wait, noWait, message) => {
    expect(() => waitOf(wait, noWait)).toThrow(message)
  })
})

describe('the lease', () => {
  test('has defaults, also for a service with short leases', () => {
    const none = leaseOptionsOf(undefined, undefined)
    expect(leaseTermsOf(none)).toEqual({ ttlMs: 30_000, graceMs: 5_000, reserveMs: 500 })
    expect(leaseTermsOf(none, 10_000)).toEqual({ ttlMs: 10_000, graceMs: 2_500, reserveMs: 500 })
    expect(leaseTermsOf(leaseOptionsOf('2s', undefined))).toEqual({ ttlMs: 2_000, graceMs: 500, reserveMs: 100 })
  })

  test('keeps the reserve for SIGKILL, however short the grace is', () => {
    expect(leaseTermsOf(leaseOptionsOf('30s', '1s'))).toMatchObject({ graceMs: 1_000, reserveMs: 500 })
    expect(leaseTermsOf(leaseOptionsOf('30s', '0s'))).toMatchObject({ graceMs: 0, reserveMs: 500 })
  })

  test.each([
    ['10s', '6s', 'the grace may be half of --ttl'],
    [undefined, '16s', 'the grace may be half of --ttl'],
    ['1ms', undefined, '--ttl is "1ms"'],
    ['25h', undefined, '--ttl is "25h"'],
    ['30', undefined, '--ttl is "30"'],
    [undefined, 'x', '--grace is "x"'],
  ])('is refused for --ttl %s and --grace %s', (ttl, grace, message) => {
    expect(() => leaseOptionsOf(ttl, grace)).toThrow(message)
  })

  test('is refused if the grace is too long for the service', () => {
    expect(() => leaseTermsOf(leaseOptionsOf(undefined, '6s'), 10_000)).toThrow('the lease 10s')
  })
})

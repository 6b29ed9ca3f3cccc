/** The tests that every file of alert rules has. */
import { describe, expect, test } from 'vitest'
import { type AlertCase, alertsOf, checkRules, lacksPromtool, type RuleFile, survivors, testAlert } from './promtool.ts'
import { anchorsOf } from './runbook.ts'

/** Defines the tests of the rules and of their cases. */
export function testAlerts(rules: RuleFile, cases: readonly AlertCase[]): void {
  test('each alert has a severity, a summary and a section of the runbook', () => {
    for (const { alert, labels, annotations } of alertsOf(rules)) {
      expect(['critical', 'warning'], alert).toContain(labels?.['severity'])
      expect(annotations?.['summary'], alert).toMatch(/\w+ \w+/)
      expect(anchorsOf('RUNBOOK.md'), alert).toContain(annotations?.['runbook'])
    }
  })

  test.skipIf(lacksPromtool)('the rules are valid', () => {
    expect(checkRules(rules)).toMatchObject({ passed: true })
  })

  describe.skipIf(lacksPromtool).each(cases.map((one) => [one.alert, one] as const))('%s', (_name, one) => {
    test('fires on its series, and does not on the others', () => {
      expect(testAlert(rules, one)).toMatchObject({ passed: true })
    })

    test('has cases that notice if it never fires, always fires, or does not wait', () => {
      expect(survivors(rules, one)).toEqual([])
    })
  })
}

/** Tests alert rules with promtool: for each alert series that fire and series that do not. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'

export interface AlertRule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[]
}

/** Series in the notation of promtool with one value per step of the case, and the time at which the alert is looked at. */
export interface Scenario {
  readonly series: Readonly<Record<string, string>>
  readonly at: string
}

export interface AlertCase {
  readonly alert: string
  /** Time between two values and between two evaluations. Default: `1m`. */
  readonly step?: string
  readonly fires: Scenario
  /** Labels of the alert that fires, without its severity. */
  readonly labels: Readonly<Record<string, string>>
  readonly quiet: readonly Scenario[]
}

const absent = spawnSync('promtool', ['--version']).error === undefined ? undefined : 'promtool is not installed'
if (absent !== undefined && process.env['CI'] === 'true') throw new Error(`${absent}, which CI needs`)

/** True if promtool is missing, and the tests that need it are skipped. */
export const lacksPromtool = absent !== undefined

export const readRules = (text: string): RuleFile => parse(text) as RuleFile

/** Returns the alerts of the file. */
export const alertsOf = ({ groups }: RuleFile): readonly (AlertRule & { readonly alert: string })[] =>
  groups
    .flatMap(({ rules }) => rules)
    .flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]))

/** Returns the alert of that name with `change` applied, and the recorded series, which it may use. */
function changed({ groups }: RuleFile, name: string, change: Partial<AlertRule>): RuleFile {
  const rules = groups.flatMap((group) => group.rules).filter(({ alert }) => alert === undefined || alert === name)
  return {
    groups: [{ name: 'changed', rules: rules.map((rule) => (rule.alert === name ? { ...rule, ...change } : rule)) }],
  }
}

/** Runs promtool with files of these contents in a temporary folder. */
function promtool(
  args: readonly string[],
  files: Readonly<Record<string, unknown>>,
): { readonly passed: boolean; readonly says: string } {
  const folder = mkdtempSync(join(tmpdir(), 'promtool-'))
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content))
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' })
    return { passed: status === 0, says: `${stdout}${stderr}` }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Checks the syntax of the rules, their templates included. */
export const checkRules = (rules: RuleFile) => promtool(['check', 'rules', 'rules.yaml'], { 'rules.yaml': rules })

/** Runs a case on its alert and the recorded series. Annotations are left out, because a case is about what fires. */
export function testAlert(
  rules: RuleFile,
  { alert, step = '1m', fires, labels, quiet }: AlertCase,
  change: Partial<AlertRule> = {},
): { readonly passed: boolean; readonly says: string } {
  const groups = changed(rules, alert, change).groups.map((group) => ({
    ...group,
    rules: group.rules.map(({ annotations: _annotations, ...rule }) => rule),
  }))
  const own = alertsOf(rules).find((rule) => rule.alert === alert)?.labels
  const testOf = ({ series, at }: Scenario, expected: readonly object[], what: string): object => ({
    name: `${alert} ${what}`,
    interval: step,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
  })
  const tests = [
    testOf(fires, [{ exp_labels: { ...own, ...labels } }], 'fires'),
    ...quiet.map((scenario, n) => testOf(scenario, [], `does not fire (${n + 1})`)),
  ]
  return promtool(['test', 'rules', 'cases.yaml'], {
    'rules.yaml': { groups },
    'cases.yaml': { rule_files: ['rules.yaml'], evaluation_interval: step, tests },
  })
}

/** Returns the wrong variants of an alert that its cases accept: one that never fires, always fires, or does not wait. */
export function survivors(rules: RuleFile, one: AlertCase): readonly string[] {
  const rule = alertsOf(rules).find(({ alert }) => alert === one.alert)
  if (rule === undefined) throw new Error(`there is no alert ${one.alert}`)
  const mutants: Readonly<Record<string, Partial<AlertRule>>> = {
    'never fires': { expr: `(${rule.expr}) and on () vector(0) > 1` },
    'always fires': { expr: 'vector(1)' },
    ...(rule.for === undefined ? {} : { 'does not wait': { for: '0s' } }),
  }
  return Object.entries(mutants)
    .filter(([, change]) => testAlert(rules, one, change).passed)
    .map(([name]) => name)
}

/** Label selectors of Kubernetes. Pure. */
import { listAt, textAt, textsAt } from './json.ts'

type Labels = Readonly<Record<string, string>>

/** Returns true if the selector matches the labels. An empty selector matches all. */
export function selects(selector: unknown, labels: Labels): boolean {
  const exact = Object.entries(textsAt(selector, 'matchLabels')).every(([name, value]) => labels[name] === value)
  return exact && listAt(selector, 'matchExpressions').every((expression) => holds(expression, labels))
}

function holds(expression: unknown, labels: Labels): boolean {
  const value = labels[textAt(expression, 'key')]
  const isListed = value !== undefined && listAt(expression, 'values').includes(value)
  switch (textAt(expression, 'operator')) {
    case 'In':
      return isListed
    case 'NotIn':
      return !isListed
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return false
  }
}

/** The chart under test. */
import { join } from 'node:path'
import { chartIn } from '../../ingot/tests/helm.ts'

export const OPERATOR_CHART = join(import.meta.dirname, '..')
export const operatorChart = chartIn(OPERATOR_CHART, 'ingot-operator')

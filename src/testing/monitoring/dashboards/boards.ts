/** All dashboards, by the chart that installs them. */
import { DRILLS } from './drills.ts'
import { LOCKS } from './locks.ts'
import type { Board } from './model.ts'
import { OPERATOR } from './operator.ts'
import { SERVICE } from './service.ts'

export const BOARDS: Readonly<Record<'ingot' | 'ingot-operator', readonly Board[]>> = {
  ingot: [SERVICE, LOCKS, DRILLS],
  'ingot-operator': [OPERATOR],
}

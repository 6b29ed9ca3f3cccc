/** `kubectl ingot drill list`: the drills of a namespace. */
import { readDrills } from '../../inspect/drills/read.ts'
import { listText } from '../../inspect/drills/text.ts'
import { defineCommand, EXIT } from '../line/command.ts'
import {
  isJson,
  NAMESPACE_OPTIONS,
  OUTPUT_OPTION,
  paintFor,
  withNamespace,
  writeJson,
  writePainted,
} from './connect.ts'

export const drillList = defineCommand({
  help: `Lists the drills of a namespace, the newest first: scenario, phase, verdict, acknowledged items that are lost, and
the longest time without a good write. It needs the right list on failoverdrills.`,
  examples: ['kubectl ingot drill list -n shop', 'kubectl ingot drill list -n shop -o json'],
  failed: EXIT.usage,
  options: { ...NAMESPACE_OPTIONS, ...OUTPUT_OPTION },
  run({ values }, io) {
    const json = isJson(values.output)
    return withNamespace(values, io, async (place) => {
      const drills = await readDrills(place, io.signal)
      if (json) writeJson(io, { kind: 'IngotDrillList', version: 1, drills })
      else writePainted(io, listText(drills, io.clock.wallMs(), place.namespace, paintFor(io)))
      return EXIT.fine
    })
  },
})

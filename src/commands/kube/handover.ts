/** `kubectl ingot handover`: requests a hand-over of Redis without loss, and waits for it. */
import type { HandoverReport } from '../../inspect/handover/request.ts'
import { requestHandover } from '../../inspect/handover/run.ts'
import type { Paint } from '../../inspect/paint.ts'
import { readFacts } from '../../inspect/read.ts'
import { version } from '../../std/version.ts'
import { defineCommand, durationOption, EXIT } from '../line/command.ts'
import { isJson, OUTPUT_OPTION, paintFor, RELEASE_OPTIONS, withRelease, writeJson, writePainted } from './connect.ts'

export const handover = defineCommand({
  positionals: ['[POD]'],
  help: `Asks the operator to hand the role of the primary over to a replica without the loss of an acknowledged write, as
before the drain of a node, and waits until it has done so. POD is the server that becomes primary; in a cluster it is a
replica of the shard. Without POD the operator chooses. It needs the right patch on redistopologies.

Exit code: 0 done, 1 refused by the operator or not done in time, 2 if it cannot be carried out: there is no operator,
or the RedisTopology is paused or has policy Observe.`,
  examples: ['kubectl ingot handover -n shop', 'kubectl ingot handover shop-redis-1 -n shop --timeout 2m'],
  failed: EXIT.usage,
  options: {
    ...RELEASE_OPTIONS,
    ...OUTPUT_OPTION,
    timeout: { type: 'string', value: 'TIME', summary: 'longest wait', default: '60s' },
  },
  run({ values, positionals: [pod] }, io) {
    const json = isJson(values.output)
    const timeoutMs = durationOption('timeout', values.timeout)
    return withRelease(values, io, async (session) => {
      const { clock, signal, stderr } = io
      const facts = await readFacts({ ...session, version: version(), clock, depth: 'topology', signal })
      const report = await requestHandover(facts, {
        api: session.api,
        clock,
        timeoutMs,
        pod,
        onRequested: ({ id }, topology) => {
          if (!json) stderr.write(`requested hand-over ${id} of RedisTopology ${topology}, waiting for the operator\n`)
        },
        signal,
      })
      if (json) writeJson(io, report)
      else writePainted(io, textOf(report, paintFor(io)))
      return report.outcome === 'Done' ? EXIT.fine : EXIT.failed
    })
  },
})

function textOf({ outcome, message, from, to, writeGapMs }: HandoverReport, paint: Paint): string {
  const gap = writeGapMs === undefined ? '' : `, ${writeGapMs} ms without a writable primary`
  const moved = from === undefined || to === undefined ? '' : `${paint(`from ${from} to ${to}${gap}`)}\n`
  return `${paint(outcome, outcome === 'Done' ? 'good' : 'bad')}: ${paint(message)}\n${moved}`
}

/** `npm run operator:soak`: an operator does not grow under faults. */
import { defineCommand, EXIT, numberOption, orSay, runProgram } from '../../program.ts'
import { runSoak } from './soak.ts'

const command = defineCommand({
  help: `
Runs one operator with ten topologies and injects a fault every minute: connections reset, Redis killed or frozen, the API
server frozen, a topology deleted and created. Fails if memory, open files or watches grow. Needs a program that starts an
API server.`,
  examples: ['npm run operator:soak', 'npm run operator:soak -- --minutes 10'],
  options: { minutes: { type: 'string', value: 'N', default: '60', summary: 'length of the run, default: 60' } },
  run({ values }, io) {
    const minutes = numberOption('minutes', values.minutes, 10_000)
    const say = (line: string): void => void io.stdout.write(`${line}\n`)
    return orSay(io, EXIT.failed, async () => {
      const { first, last, findings } = await runSoak({ minutes, say, signal: io.signal })
      say(`first third ${JSON.stringify(first)}, last third ${JSON.stringify(last)}`)
      for (const line of findings) say(line)
      return findings.length === 0 ? EXIT.fine : EXIT.failed
    })
  },
})

await runProgram({ call: 'npm run operator:soak --', summary: 'a long run of an operator under faults', command })

/** `npm run operator:kills`: no deposed leader writes. */
import { createRandom } from '../../../std/random.ts'
import { defineCommand, EXIT, numberOption, orSay, runProgram } from '../../program.ts'
import { runKills } from './kills.ts'

const command = defineCommand({
  help: `
Kills and stops the leader of three operators at random moments, while topologies change all the time. Judges every write
that reaches the API server: a write that a process sent after another one had become the leader is a failure. Needs a
program that starts an API server.`,
  examples: ['npm run operator:kills', 'npm run operator:kills -- --kills 5 --seed 7'],
  options: {
    kills: { type: 'string', value: 'N', default: '20', summary: 'kills and stops, default: 20' },
    seed: { type: 'string', value: 'N', default: '1', summary: 'seed of the moments, default: 1' },
  },
  run({ values }, io) {
    const kills = numberOption('kills', values.kills, 1_000)
    const random = createRandom(numberOption('seed', values.seed, 2 ** 31))
    const say = (line: string): void => void io.stdout.write(`${line}\n`)
    return orSay(io, EXIT.failed, async () => {
      const { acquisitions, writes, late } = await runKills({
        kills,
        random: () => random.next(),
        say,
        signal: io.signal,
      })
      for (const line of late) say(line)
      say(`${kills} kills, ${acquisitions} terms, ${writes} writes, ${late.length} by a deposed leader`)
      return late.length === 0 && acquisitions > kills / 2 && writes > 0 ? EXIT.fine : EXIT.failed
    })
  },
})

await runProgram({ call: 'npm run operator:kills --', summary: 'kills operators, and judges their writes', command })

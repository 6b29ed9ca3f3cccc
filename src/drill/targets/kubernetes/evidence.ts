/** Saves the logs of pods and the events of the cluster, for the analysis of a failed drill. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kubectl } from '../../../kube/kubectl.ts'

const SAVE_MS = 90_000
const LINES = 2_000

/** Saves logs and events into the folder. Never rejects. If a content cannot be read, its file holds the error. */
export async function saveEvidence(kubectl: Kubectl, folder: string, say: (line: string) => void): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const signal = AbortSignal.timeout(SAVE_MS)
  const save = async (file: string, args: readonly string[]): Promise<void> => {
    const text = await kubectl.run(args, { signal, timeoutMs: 20_000 }).catch((failure: unknown) => String(failure))
    writeFileSync(join(folder, file), text)
  }
  await save('events.txt', ['get', 'events', '--sort-by=.lastTimestamp'])
  await save('pods.txt', ['get', 'pods', '--output', 'wide'])
  await save('describe.txt', ['describe', 'pods'])
  const names = ['get', 'pods', '--output', 'jsonpath={.items[*].metadata.name}']
  const pods = await kubectl.run(names, { signal }).catch(() => '')
  for (const name of pods.split(' ').filter((one) => one !== '')) {
    const logs = ['logs', name, '--all-containers', '--prefix', '--timestamps', `--tail=${LINES}`]
    await save(`${name}.log`, logs)
    await save(`${name}.previous.log`, [...logs, '--previous'])
  }
  say(`logs and events: ${folder}`)
}

/**
 * The undo list of a drill: what must be restored, recorded before it is changed. Each step is data, so that another
 * process can carry it out when the runner has died. A step can be carried out again without harm.
 */
import { reasonOf } from '../errors/error.ts'
import { containerOf, isGone, type Workload, type Workloads } from '../kube/workloads.ts'
import type { CallOptions } from '../std/run-program.ts'
import type { UndoStep } from './spec/status.ts'
import type { Machines } from './targets/kubernetes/machines.ts'
import type { RedisView } from './targets/redis/view.ts'

/** Keeps the list where it survives the runner: in the status of the drill, or in a file. */
export interface UndoStore {
  /** Resolves when the whole list is durable. */
  write(steps: readonly UndoStep[], signal: AbortSignal): Promise<void>
}

export interface UndoTools {
  readonly workloads: Workloads
  readonly redis: RedisView
  readonly machines?: Machines
}

/** The undo list of a running drill. */
export interface UndoList {
  readonly steps: readonly UndoStep[]
  /** Resolves when the steps are durable. Only then may the fault be injected. */
  add(steps: readonly UndoStep[], signal: AbortSignal): Promise<void>
  /** Carries out the steps of a fault, the last one first, and removes them from the list. Rejects if one fails. */
  undo(fault: string, signal: AbortSignal): Promise<void>
}

export function createUndoList(tools: UndoTools, store: UndoStore): UndoList {
  let steps: readonly UndoStep[] = []
  let writing = Promise.resolve()
  // one write at a time, so that an older list never replaces a newer one
  const write = (signal: AbortSignal): Promise<void> => {
    writing = writing.catch(() => undefined).then(() => store.write(steps, signal))
    return writing
  }
  return {
    get steps() {
      return steps
    },
    add(more, signal) {
      if (more.length === 0) return Promise.resolve()
      steps = [...steps, ...more]
      return write(signal)
    },
    async undo(fault, signal) {
      const own = steps.filter((step) => step.fault === fault)
      if (own.length === 0) return
      await carryOut(own, tools, signal)
      steps = steps.filter((step) => !own.includes(step))
      await write(signal)
    },
  }
}

/** Carries out all steps, the last one first. Tries all of them. Rejects with the failures. */
export async function carryOut(steps: readonly UndoStep[], tools: UndoTools, signal: AbortSignal): Promise<void> {
  const failures: string[] = []
  for (const step of steps.toReversed()) {
    try {
      await UNDO[step.kind](step.args, tools, signal)
    } catch (failure) {
      signal.throwIfAborted()
      if (!isGone(failure)) failures.push(`${step.kind} of ${step.fault}: ${reasonOf(failure)}`)
    }
  }
  if (failures.length > 0) throw new Error(failures.join('; '))
}

type Args = UndoStep['args']
type Undo = (args: Args, tools: UndoTools, signal: AbortSignal) => Promise<void>

const CALL_MS = 10_000
const options = (signal: AbortSignal): CallOptions => ({ signal, timeoutMs: CALL_MS })

const UNDO: Readonly<Record<UndoStep['kind'], Undo>> = {
  async DeleteObject(args, { workloads }, signal) {
    const [group = '', version = ''] = `/${args['apiVersion']}`.split('/').slice(-2)
    const resource = {
      group,
      version,
      kind: args['kind'] ?? '',
      plural: args['plural'] ?? '',
      namespaced: args['namespaced'] !== 'false',
    }
    await workloads.api.delete(resource, { namespace: workloads.namespace, name: args['name'] ?? '' }, signal)
  },
  Uncordon: ({ node = '' }, { workloads }, signal) => workloads.cordon(node, false, signal),
  async Resume({ pod = '', uid = '', container = '', process = '' }, { workloads }, signal) {
    const there = (await workloads.pods(signal)).some((one) => one.name === pod && one.uid === uid)
    // a pod that was replaced has no stopped process
    if (there) await workloads.exec(`${pod}/${container}`, signalCommand('CONT', process), options(signal))
  },
  async Unstall({ pod = '' }, { workloads, redis }, signal) {
    const there = (await workloads.pods(signal)).find((one) => one.name === pod)
    if (there !== undefined) await redis.command(there, ['CLIENT', 'UNPAUSE'], options(signal))
  },
  async SetReplicas({ kind = '', name = '', replicas = '' }, { workloads }, signal) {
    const workload = await find(workloads, { kind, name }, signal)
    if (workload !== undefined) await workloads.scale(workload, Number(replicas), signal)
  },
  async SetImage({ kind = '', name = '', image = '' }, { workloads }, signal) {
    const workload = await find(workloads, { kind, name }, signal)
    if (workload === undefined || containerOf(workload)['image'] === image) return
    await workloads.roll(workload, image, signal)
  },
  Unlabel: ({ pod = '', label = '' }, { workloads }, signal) => workloads.label(pod, label, null, signal),
  async Webhook({ url = '', body = '' }, _tools, signal) {
    await post(url, body, signal)
  },
  async Thaw({ node = '' }, { machines }, signal) {
    if (machines === undefined) throw new Error(`${node} can only be thawed from its host: docker unpause ${node}`)
    if (await machines.isFrozen(node, options(signal))) await machines.thaw(node, options(signal))
  },
}

/** Returns the command that sends a signal to the processes of a name. */
export function signalCommand(name: 'STOP' | 'CONT' | 'KILL', process: string): readonly string[] {
  return ['sh', '-c', `${PIDS} for pid in $(pids "$1"); do kill -${name} "$pid"; done`, 'sh', process]
}

/**
 * The images may lack pgrep. The argument is a name, or several with `|` between them. A name in /proc has at most 15
 * characters.
 */
export const PIDS = `pids() { for dir in /proc/[0-9]*; do
  case "|$1|" in *"|$(cat "$dir/comm" 2>/dev/null)|"*) echo "\${dir#/proc/}" ;; esac
done; }
`

/** Sends a POST with JSON. Rejects unless the response is a 2xx. */
export async function post(url: string, body: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' }, signal })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`POST ${url}: ${response.status}`)
}

async function find(
  workloads: Workloads,
  { kind, name }: { readonly kind: string; readonly name: string },
  signal: AbortSignal,
): Promise<Workload | undefined> {
  return (await workloads.workloads(signal)).find((one) => one.kind === kind && one.name === name)
}

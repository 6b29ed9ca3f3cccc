import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findDocker } from '../containers.ts'
import { present } from '../present.ts'

const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGINT')
})

/** Starts the command. `until` resolves when its output matches, `ended` resolves with its exit code. */
function startCluster(port: string) {
  const env = { ...process.env, INGOT_CLUSTER_PORT: port }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'command.ts')], { env })
  children.push(child)
  const ended = once(child, 'close').then(([code]: unknown[]) => code)
  let said = ''
  const { promise: ready, resolve } = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('Ctrl-C ends all')) resolve()
    })
  }
  return { child, ended, ready: Promise.race([ready, ended]), said: () => said }
}

const statusOf = async (url: string): Promise<string> => {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}/v1/collections/c/items`, { method: 'POST', headers, body: '{"a": 1}' })
  return ((await answer.json()) as { status: string }).status
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/livez`).then(
    () => true,
    () => false,
  )

test('three replicas behind one address save an item once, and end with Ctrl-C', async ({ skip }) => {
  present(await findDocker(), skip)
  const { child, ended, ready, said } = startCluster('0')
  await ready
  const [address = '', ...replicas] = [...said().matchAll(/^.*replicas? +(http:\S+)$/gm)].map(([, url = '']) => url)
  expect(replicas, said()).toHaveLength(3)
  expect(said()).toMatch(/Postgres +postgres:\/\/[\s\S]*Redis +redis\+sentinel:\/\//)
  const all = await Promise.all([address, address, address, ...replicas].map(statusOf))
  expect(all.toSorted()).toEqual(['created', ...Array.from({ length: 5 }, () => 'duplicate')])
  child.kill('SIGINT')
  expect(await ended, said()).toBe(0)
  expect(await Promise.all([address, ...replicas].map(answers))).toEqual([false, false, false, false])
})

test('an address in use is reported at once, with the remedy', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { ended, said } = startCluster(String(port))
  expect(await ended).toBe(1)
  expect(said()).toMatch(/EADDRINUSE.*name another port with --port\n$/)
  server.close()
})

test('an invalid port is refused', async () => {
  const { ended, said } = startCluster('eighty')
  expect(await ended).toBe(2)
  expect(said()).toMatch(/^USAGE_INVALID: --port is "eighty", write a port from 1 to 65535, or 0 for a free one\n/)
})

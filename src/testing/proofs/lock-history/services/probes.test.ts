import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { freePorts } from '../../../tcp/ports.ts'
import { proveDead, proveSilent } from './probes.ts'

const open: Server[] = []

afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  open.push(server)
  const [port = 0] = await freePorts(1)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return port
}

test('a port without a listener is dead, and one with a listener is not', async () => {
  const [free = 0] = await freePorts(1)
  expect(await proveDead(free)).toBe(`port ${free} refused a connection`)
  const port = await listen(() => {})
  await expect(proveDead(port)).rejects.toThrow(`port ${port} accepted a connection`)
})

test('a server that sends nothing is silent', async () => {
  const port = await listen(() => {})
  expect(await proveSilent(port, 'hello')).toContain(`port ${port} sent nothing`)
})

test('a server that responds, or speaks first, is not silent', async () => {
  const echo = await listen((socket) => socket.pipe(socket))
  await expect(proveSilent(echo, 'hello')).rejects.toThrow('sent 5 bytes')
  const first = await listen((socket) => void socket.write('welcome'))
  await expect(proveSilent(first, '')).rejects.toThrow('sent 7 bytes')
})

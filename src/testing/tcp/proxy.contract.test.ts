import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startTcpProxy, type TcpProxy } from './proxy.ts'

let server: Server
let proxy: TcpProxy
let heard = ''

beforeEach(async () => {
  heard = ''
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard += data.toString()
      socket.write('heard')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await startTcpProxy((server.address() as AddressInfo).port)
})
afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  server.close()
})

const client = () => connect({ port: proxy.port, host: '127.0.0.1' }).on('error', () => {})

test('holds the packet with the marker, and delivers it after its sender has ended', async () => {
  const hold = proxy.catchPacket(Buffer.from('marked'), 'hold')
  const [one, other] = [client(), client()]
  other.write('plain ')
  await once(other, 'data')
  one.write('a marked packet')
  await hold.caught
  one.destroy()
  await sleep(20)
  expect(heard).toBe('plain ')
  expect(hold.release()).toBe('a marked packet'.length)
  await expect.poll(() => heard).toContain('marked')
  expect(hold.release()).toBe(0)
  other.destroy()
})

test('lets the packet pass and drops the replies', async () => {
  const hold = proxy.catchPacket(Buffer.from('marked'), 'mute')
  const one = client()
  let answers = 0
  one.on('data', () => void answers++)
  one.write('marked')
  await hold.caught
  await expect.poll(() => heard).toMatch(/marked$/)
  await sleep(20)
  expect(answers).toBe(0)
  hold.release()
  one.destroy()
})

test('a hold that is released before a packet arrives catches nothing', async () => {
  const hold = proxy.catchPacket(Buffer.from('marked'), 'hold')
  expect(hold.release()).toBe(0)
  const one = client()
  one.write('marked')
  await once(one, 'data')
  expect(heard).toBe('marked')
  one.destroy()
})

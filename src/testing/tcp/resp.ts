/**
 * A Redis server that says what a test wants: for errors that a real one only gives in states that cannot be had at
 * will. It understands RESP commands and records them; what it answers is the test's business.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A reply on the wire; `undefined` says nothing at all. */
export type Reply = string | undefined

export const simple = (text: string): string => `+${text}\r\n`
export const failure = (text: string): string => `-${text}\r\n`
export const integer = (value: number): string => `:${value}\r\n`
export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
export const array = (items: readonly string[]): string => `*${items.length}\r\n${items.join('')}`

export interface RespServer extends AsyncDisposable {
  readonly port: number
  /** Every command in the order of arrival, its name in capitals. */
  readonly commands: readonly (readonly string[])[]
  readonly connections: number
  /** How often a command of that name came. */
  count(name: string): number
  drop(): void
}

/** Takes whole commands off the front of the text. Test traffic is ASCII, so bytes and characters are the same. */
function takeCommand(text: string): { readonly args: string[]; readonly rest: string } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text)
  if (head === null) return undefined
  const args: string[] = []
  let at = head[0].length
  for (let i = 0; i < Number(head[1]); i++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20))
    if (size === null) return undefined
    const from = at + size[0].length
    const to = from + Number(size[1])
    if (text.length < to + 2) return undefined
    args.push(text.slice(from, to))
    at = to + 2
  }
  return { args, rest: text.slice(at) }
}

export async function startRespServer(
  answer: (args: readonly string[]) => Reply | Promise<Reply>,
): Promise<RespServer> {
  const commands: (readonly string[])[] = []
  const sockets = new Set<Socket>()
  let connections = 0

  async function serve(socket: Socket, queue: string[][]): Promise<void> {
    for (let args = queue.shift(); args !== undefined; args = queue.shift()) {
      const reply = await answer(args)
      if (reply !== undefined && socket.writable) socket.write(reply)
    }
  }

  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.setEncoding('latin1')
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let text = ''
    let turn = Promise.resolve()
    socket.on('data', (chunk: string) => {
      text += chunk
      const queue: string[][] = []
      for (let next = takeCommand(text); next !== undefined; next = takeCommand(text)) {
        text = next.rest
        const args = [(next.args[0] ?? '').toUpperCase(), ...next.args.slice(1)]
        commands.push(args)
        queue.push(args)
      }
      turn = turn.then(() => serve(socket, queue))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    get connections() {
      return connections
    },
    count: (name) => commands.filter(([first]) => first === name).length,
    drop,
    async [Symbol.asyncDispose]() {
      drop()
      server.close()
    },
  }
}

/** What a healthy master says of itself. */
export function healthyInfo(fields: Readonly<Record<string, string>> = {}): string {
  const facts = {
    redis_version: '8.0.2',
    role: 'master',
    loading: '0',
    maxmemory: '0',
    maxmemory_policy: 'noeviction',
    cluster_enabled: '0',
    ...fields,
  }
  return bulk(
    Object.entries(facts)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join(''),
  )
}

/** Answers what ioredis asks while it connects; `undefined` for everything else. */
export function handshake(args: readonly string[], info: string): Reply {
  if (args[0] === 'HELLO') return array([bulk('proto'), integer(3)])
  if (args[0] === 'CLIENT') return simple('OK')
  if (args[0] === 'INFO') return info
  return undefined
}

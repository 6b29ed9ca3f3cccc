/**
 * A fake Redis server whose replies a test chooses, for errors that a real server only returns in states that a test cannot
 * produce. It parses and records RESP commands.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** An encoded reply; `undefined`: no reply. */
export type Reply = string | undefined

export const simple = (text: string): string => `+${text}\r\n`
export const failure = (text: string): string => `-${text}\r\n`
export const integer = (value: number): string => `:${value}\r\n`
export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
export const array = (items: readonly string[]): string => `*${items.length}\r\n${items.join('')}`

export interface RespServer extends AsyncDisposable {
  readonly port: number
  /** All commands in order of arrival, with names in capitals. */
  readonly commands: readonly (readonly string[])[]
  readonly connections: number
  /** Returns the number of commands with that name. */
  count(name: string): number
  drop(): void
}

/** Parses complete commands from the start of the text. Test traffic is ASCII, so bytes equal characters. */
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

/** INFO of a healthy primary. */
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

/** Returns the replies to the commands with which ioredis connects; `undefined` for other commands. */
export function handshake(args: readonly string[], info: string): Reply {
  if (args[0] === 'HELLO') return array([bulk('proto'), integer(3)])
  if (args[0] === 'CLIENT') return simple('OK')
  if (args[0] === 'INFO') return info
  return undefined
}

/**
 * Redis servers and Sentinels that respond to the polls of an operator, and do nothing else: one process that listens on
 * every loopback address. The address says which one it is: 127.1.TOPOLOGY.N is a server, 127.2.TOPOLOGY.N a Sentinel.
 * The contract tests of the probes run on real servers.
 */
import { createServer, type Socket } from 'node:net'

const PORT = Number(process.argv[2])
const NODES = 3

type Reply = string | number | readonly Reply[]

function encode(reply: Reply): string {
  if (typeof reply === 'number') return `:${reply}\r\n`
  if (typeof reply === 'string') return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`
  return `*${reply.length}\r\n${reply.map(encode).join('')}`
}

const error = (message: string): string => `-ERR ${message}\r\n`

interface Place {
  readonly isSentinel: boolean
  readonly topology: string
  readonly index: number
}

function placeOf(socket: Socket): Place {
  const [, kind, topology = '', index = ''] = (socket.localAddress ?? '').replace('::ffff:', '').split('.')
  return { isSentinel: kind === '2', topology, index: Number(index) }
}

const hostOf = (kind: 1 | 2, topology: string, index: number): string => `127.${kind}.${topology}.${index}`

function replication({ topology, index }: Place): string {
  if (index === 0) return `role:master\r\nconnected_slaves:${NODES - 1}\r\nmaster_repl_offset:1000\r\n`
  const link = 'master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:1000\r\n'
  return `role:slave\r\nmaster_host:${hostOf(1, topology, 0)}\r\nmaster_port:${PORT}\r\n${link}connected_slaves:0\r\n`
}

function entries(kind: 1 | 2, { topology }: Place, flags: string, without: number): Reply {
  const others = Array.from({ length: NODES }, (_, index) => index).filter((index) => index !== without)
  return others.map((index) => ['ip', hostOf(kind, topology, index), 'port', String(PORT), 'flags', flags])
}

function sentinelReply(place: Place, command: string): string {
  const host = hostOf(1, place.topology, 0)
  switch (command) {
    case 'GET-MASTER-ADDR-BY-NAME':
      return encode([host, String(PORT)])
    case 'MASTER':
      return encode(['ip', host, 'port', String(PORT), 'flags', 'master', 'num-other-sentinels', String(NODES - 1)])
    case 'CKQUORUM':
      return '+OK 3 usable Sentinels\r\n'
    case 'SENTINELS':
      return encode(entries(2, place, 'sentinel', place.index))
    case 'REPLICAS':
      return encode(entries(1, place, 'slave', 0))
    default:
      return error('unknown')
  }
}

function replyTo(place: Place, [name = '', first = '']: readonly string[]): string {
  switch (name.toUpperCase()) {
    case 'HELLO':
      return `%3\r\n${['server', 'redis', 'version', '8.0.0', 'proto'].map(encode).join('')}:3\r\n`
    case 'INFO':
      return encode(`# Server\r\nredis_version:8.0.0\r\nloading:0\r\n${replication(place)}`)
    case 'DBSIZE':
      return ':10\r\n'
    case 'SENTINEL':
      return place.isSentinel ? sentinelReply(place, first.toUpperCase()) : error('unknown command')
    case 'CLUSTER':
      return error('This instance has cluster support disabled')
    default:
      return '+OK\r\n'
  }
}

/** Returns the complete commands in the text, and the rest. */
function commandsIn(text: string): { readonly commands: readonly string[][]; readonly rest: string } {
  const lines = text.split('\r\n')
  const commands: string[][] = []
  let at = 0
  for (;;) {
    const count = Number(lines[at]?.slice(1))
    const end = at + 1 + 2 * count
    // the last element is what follows the last complete line
    if (!(count > 0) || end >= lines.length) return { commands, rest: lines.slice(at).join('\r\n') }
    commands.push(Array.from({ length: count }, (_, index) => lines[at + 2 + 2 * index] ?? ''))
    at = end
  }
}

createServer((socket) => {
  const place = placeOf(socket)
  let text = ''
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    const { commands, rest } = commandsIn(text + chunk.toString())
    text = rest
    socket.write(commands.map((command) => replyTo(place, command)).join(''))
  })
}).listen(PORT, '0.0.0.0', () => process.stdout.write('listening\n'))

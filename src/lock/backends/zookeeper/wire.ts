/** The binary protocol of ZooKeeper: frames, numbers, texts and records. Source: zookeeper.jute of ZooKeeper 3.9. */

/** Numbers of the requests. */
export const OP = {
  create2: 15,
  createContainer: 19,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  auth: 100,
  closeSession: -11,
} as const

/** Numbers of the errors that the client distinguishes. */
export const CODE = {
  unimplemented: -6,
  noNode: -101,
  noAuth: -102,
  nodeExists: -110,
  sessionExpired: -112,
  authFailed: -115,
  sessionMoved: -118,
  needsSasl: -124,
} as const

/** Numbers of replies that belong to no numbered request. */
export const XID = { event: -1, ping: -2, auth: -4 } as const
/** The event of a node whose data was changed. All others are about its end, or about the connection. */
export const DATA_CHANGED = 3
/** How a node is created. */
export const MODE = { persistent: 0, ephemeralSequential: 3, container: 4 } as const

/** What a server knows of a node, as far as the client uses it. */
export interface Stat {
  /** Number of the transaction that created the node. */
  readonly czxid: bigint
  /** Wall-clock milliseconds of its creation. */
  readonly ctime: bigint
  /** The session that the node ends with. 0 if it ends with none. */
  readonly owner: bigint
}

/** The largest frame that is read, in bytes. A server sends 1 MiB by default. */
const MAX_FRAME_BYTES = 4 * 1024 * 1024
const ALL_RIGHTS = 31

export class Writer {
  readonly #parts: Buffer[] = []

  int(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return this.#add(bytes)
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(value)
    return this.#add(bytes)
  }

  bool(value: boolean): this {
    return this.#add(Buffer.from([value ? 1 : 0]))
  }

  bytes(value: Buffer): this {
    return this.int(value.length).#add(value)
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value))
  }

  /** Adds an access list: all rights for the user of the connection, or for everybody. */
  rights(isUsersOnly: boolean): this {
    const [scheme, id] = isUsersOnly ? ['auth', ''] : ['world', 'anyone']
    return this.int(1).int(ALL_RIGHTS).text(scheme).text(id)
  }

  content(): Buffer {
    return Buffer.concat(this.#parts)
  }

  /** Returns the content after its length. */
  frame(): Buffer {
    const content = this.content()
    return Buffer.concat([new Writer().int(content.length).content(), content])
  }

  #add(bytes: Buffer): this {
    this.#parts.push(bytes)
    return this
  }
}

/** Reads records. Throws RangeError if the bytes end too early. */
export class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  long(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }

  bytes(): Buffer {
    const length = Math.max(0, this.int())
    if (this.#at + length > this.#bytes.length) throw new RangeError('a record ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  text(): string {
    return this.bytes().toString()
  }

  texts(): readonly string[] {
    const count = Math.max(0, this.int())
    return Array.from({ length: count }, () => this.text())
  }

  stat(): Stat {
    const czxid = this.long()
    this.long() // mzxid
    const ctime = this.long()
    this.long() // mtime
    for (let i = 0; i < 3; i++) this.int() // versions of the data, of the children and of the access list
    return { czxid, ctime, owner: this.long() }
  }
}

/** Splits a stream of bytes into frames. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0)

  /** Returns the frames that the bytes complete. Throws for a frame that is too long. */
  add(bytes: Buffer): readonly Buffer[] {
    let rest: Buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const frames: Buffer[] = []
    while (rest.length >= 4) {
      const length = rest.readInt32BE()
      if (length < 0 || length > MAX_FRAME_BYTES) throw new RangeError('the response is not that of a ZooKeeper server')
      if (rest.length < 4 + length) break
      frames.push(rest.subarray(4, 4 + length))
      rest = rest.subarray(4 + length)
    }
    this.#rest = rest
    return frames
  }
}

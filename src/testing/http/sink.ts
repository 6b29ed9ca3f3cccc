/** A writable stream that records its input. It is a terminal if it has columns. */
import { Writable } from 'node:stream'

export interface Sink extends Writable {
  readonly isTTY: boolean
  readonly columns?: number
  text(): string
}

export function createSink(columns?: number): Sink {
  let text = ''
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8')
      done()
    },
  })
  const terminal = columns === undefined ? { isTTY: false } : { isTTY: true, columns }
  return Object.assign(writable, { ...terminal, text: () => text })
}

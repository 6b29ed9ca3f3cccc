/** Responds to bytes that are not valid HTTP with a problem body, then closes the connection. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { IngotError } from '../errors/error.ts'
import { traceFrom } from '../telemetry/trace.ts'
import { problemOf } from './problem.ts'

export function answerClientError(thrown: Error, socket: Socket): void {
  // if something was written, a response may be half sent: more text would be read as a part of it
  if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy()
  const { status, headers, body } = problemOf(errorOf(thrown), { ...traceFrom(undefined), bodyLimit: 0 })
  const lines = Object.entries({ ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`)
}

/**
 * Returns the error for a failure of the HTTP parser. Source: the codes of Node's `clientError` event, and of its
 * parser (HPE).
 */
function errorOf(thrown: Error): IngotError {
  switch ('code' in thrown ? thrown.code : undefined) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new IngotError('BODY_STALLED', 'the head of the request did not come in time')
    case 'HPE_HEADER_OVERFLOW':
      return new IngotError('HEADERS_TOO_LARGE', 'the request line and the header fields are too large')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new IngotError('CONTENT_TOO_LARGE', 'the chunk extensions of the body are too large')
    default:
      return new IngotError('REQUEST_INVALID', 'this is not well-formed HTTP')
  }
}

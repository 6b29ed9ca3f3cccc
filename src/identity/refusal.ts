/**
 * Creates the errors for refused JSON texts. Each has a position. Positions cost time, so they are computed only here.
 */
import { Buffer } from 'node:buffer'
import { type ErrorCode, IngotError } from '../errors/error.ts'

export interface Source {
  readonly text: string
  /** The unit of positions: bytes if the text came as UTF-8, otherwise UTF-16 code units. Both count from 0. */
  readonly unit: 'byte' | 'character'
  /** Maximum depth of nested arrays and objects. */
  readonly maxDepth: number
}

/** Maximum number of characters of a refused number that a message repeats. */
const MAX_TOKEN_SHOWN = 40

export function refusal(source: Source, at: number, code: ErrorCode, what: string): IngotError {
  const position = positionOf(source, at)
  return new IngotError(code, `${what}, at ${source.unit} ${position}`, { facts: { position } })
}

export function imprecise(source: Source, at: number, token: string): IngotError {
  const shown = token.length > MAX_TOKEN_SHOWN ? `${token.slice(0, MAX_TOKEN_SHOWN)}...` : token
  const position = positionOf(source, at)
  const message = `the number ${shown} is ${whatItIs(token)}, at ${source.unit} ${position}`
  return new IngotError('NUMBER_PRECISION', message, { facts: { position, token: shown } })
}

/**
 * Returns the reason why `canonicalNumber` refuses the token: ECMAScript writes its double with another decimal value.
 */
function whatItIs(token: string): string {
  const double = Number(token)
  return Number.isFinite(double)
    ? `not the shortest decimal value of its double, ${double}`
    : 'beyond the range of a double'
}

function positionOf({ text, unit }: Source, at: number): number {
  return unit === 'byte' ? Buffer.byteLength(text.slice(0, at)) : at
}

/**
 * How a JSON text is refused: always with the place. Working out a position costs time, so it is done here, once.
 */
import { Buffer } from 'node:buffer'
import { type ErrorCode, IngotError } from '../errors/error.ts'

export interface Source {
  readonly text: string
  /** What positions count in: bytes when the text came as UTF-8, else UTF-16 code units. Both from 0. */
  readonly unit: 'byte' | 'character'
  /** How many arrays and objects may enclose each other. */
  readonly maxDepth: number
}

/** How much of a refused number an answer repeats. */
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

/** Why `canonicalNumber` refuses the token: its decimal value is not the one that ECMAScript writes its double with. */
function whatItIs(token: string): string {
  const double = Number(token)
  return Number.isFinite(double)
    ? `not the shortest decimal value of its double, ${double}`
    : 'beyond the range of a double'
}

function positionOf({ text, unit }: Source, at: number): number {
  return unit === 'byte' ? Buffer.byteLength(text.slice(0, at)) : at
}

import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { structuralSchema } from './structural-schema.ts'

test('literal unions, maps and closed objects become structural', () => {
  const schema = Type.Object(
    {
      mode: Type.Union([Type.Literal('a'), Type.Literal('b')], { description: 'which' }),
      labels: Type.Record(Type.String(), Type.String({ maxLength: 63 }), { maxProperties: 8 }),
      list: Type.Optional(Type.Array(Type.Integer(), { maxItems: 3 })),
    },
    { additionalProperties: false, 'x-kubernetes-validations': [{ rule: 'true', message: 'never' }] },
  )
  expect(structuralSchema(schema)).toEqual({
    type: 'object',
    required: ['mode', 'labels'],
    'x-kubernetes-validations': [{ rule: 'true', message: 'never' }],
    properties: {
      mode: { type: 'string', enum: ['a', 'b'], description: 'which' },
      labels: { type: 'object', maxProperties: 8, additionalProperties: { type: 'string', maxLength: 63 } },
      list: { type: 'array', maxItems: 3, items: { type: 'integer' } },
    },
  })
})

test.each([
  ['a text without a maximum', Type.Object({ a: Type.String() }), /\.a: a text needs a maxLength/],
  ['a list without a maximum', Type.Object({ a: Type.Array(Type.Integer()) }), /\.a: a list needs maxItems/],
  ['a map without a maximum', Type.Record(Type.String(), Type.Integer()), /a map needs maxProperties/],
  [
    'a union of objects',
    Type.Object({ a: Type.Union([Type.Object({}), Type.Null()]) }),
    /\.a: a structural schema needs a type/,
  ],
])('refuses %s', (_what, schema, message) => {
  expect(() => structuralSchema(schema, '')).toThrow(message)
})

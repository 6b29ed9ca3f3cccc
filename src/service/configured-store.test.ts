import { expect, test } from 'vitest'
import { loadServiceConfig } from './config.ts'
import { storeLocation } from './configured-store.ts'

const CONFIG = loadServiceConfig({ INGOT_DATA: '/var/lib/x' })
const placeOf = (storeUrl: string): string => storeLocation({ ...CONFIG, storeUrl })

test('returns the location of items without passwords', () => {
  expect(placeOf('sqlite:')).toBe('/var/lib/x')
  expect(placeOf('postgres://me:secret@db:5432/items?sslmode=verify-full&password=secret')).toBe(
    'postgres://me@db:5432/items',
  )
  expect(placeOf('postgres://me:sec/ret@db:port/items')).not.toContain('sec')
})

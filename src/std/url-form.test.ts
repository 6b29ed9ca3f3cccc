import { expect, test } from 'vitest'
import { describeForms, isMalformed, matchesForm, schemeOf, type UrlForm } from './url-form.ts'

const LOCAL: UrlForm = { schemes: ['mem'], examples: ['mem:'] }
const REMOTE: UrlForm = { schemes: ['db', 'dbs'], examples: ['db://host/name', 'dbs://host/name'], standard: true }
const MANY: UrlForm = { schemes: ['many+x'], examples: ['many+x://host,host'] }
const ALL = [LOCAL, REMOTE, MANY]

test.each([
  ['db://h', 'db'],
  ['many+x://a,b', 'many+x'],
  ['host:6379', 'host'],
  ['me@host', ''],
  ['', ''],
  ['DB://h', ''],
])('the scheme of %j is %j', (url, scheme) => {
  expect(schemeOf(url)).toBe(scheme)
})

test.each([
  ['mem:', true],
  ['mem:anything', true],
  ['db://h', true],
  ['dbs://h', true],
  ['many+x://a,b', true],
  ['db:', false],
  ['db:/h', false],
  ['db://', false],
  ['dbx://h', false],
  ['h', false],
])('%j matches a form: %j', (url, matches) => {
  expect(matchesForm(url, ALL)).toBe(matches)
})

test.each([
  ['db://a host', true],
  ['db://me:pw@h:port/x', true],
  ['db://me:pw@/x?host=/run', false],
  ['db://h', false],
  ['many+x://a:1,b:2', false],
])('%j is malformed: %j', (url, malformed) => {
  expect(isMalformed(url, ALL)).toBe(malformed)
})

test('lists the examples of the forms', () => {
  expect(describeForms(ALL)).toBe('mem:, db://host/name, dbs://host/name or many+x://host,host')
  expect(describeForms([LOCAL])).toBe('mem:')
})

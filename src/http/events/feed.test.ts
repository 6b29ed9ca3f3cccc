import { expect, test } from 'vitest'
import { createFakeClock } from '../../testing/clock.ts'
import { createEventFeed, type EventFeed } from './feed.ts'

const publish = (feed: EventFeed, collections: readonly string[]): void => {
  for (const collection of collections) feed.publish({ type: 'collection.defined', collection })
}
const names = (feed: EventFeed, seq: number) => {
  const { events, missed } = feed.since(seq)
  return [events.map((event) => ('collection' in event ? event.collection : event.type)), missed]
}

test('returns the events since a position, in order', () => {
  const feed = createEventFeed(createFakeClock())
  expect(names(feed, 0)).toEqual([[], 0])
  publish(feed, ['a', 'b', 'c'])
  expect(names(feed, 0)).toEqual([['a', 'b', 'c'], 0])
  expect(names(feed, 2)).toEqual([['c'], 0])
  expect(names(feed, 3)).toEqual([[], 0])
  expect(names(feed, 99)).toEqual([[], 0])
})

test('keeps the latest events only, and counts what a slow reader missed', () => {
  const feed = createEventFeed(createFakeClock(), 2)
  publish(feed, ['a', 'b', 'c', 'd', 'e'])
  expect(names(feed, 0)).toEqual([['d', 'e'], 3])
  expect(names(feed, 2)).toEqual([['d', 'e'], 1])
  expect(names(feed, 3)).toEqual([['d', 'e'], 0])
})

test('wakes a reader until it ends its subscription', () => {
  const feed = createEventFeed(createFakeClock())
  let woken = 0
  const end = feed.subscribe(() => woken++)
  publish(feed, ['a'])
  end()
  publish(feed, ['b'])
  expect(woken).toBe(1)
})

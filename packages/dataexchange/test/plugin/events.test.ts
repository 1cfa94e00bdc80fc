import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { EventBus } from '#lib/plugin/events.js'
import { recordingLogger } from '../../../../test/helpers/service-harness.ts'

test('[deps.events-glob] a subscriber gets the topics that its pattern matches, in order', async () => {
  const bus = new EventBus()
  const seen: string[] = []
  bus.subscribe('file.*', event => {
    seen.push(event.topic)
  })
  for (const topic of ['file.received', 'message.received', 'file.x.y', 'afile.z', 'file'])
    bus.publish(topic, {})
  await turn()
  await turn()
  assert.deepEqual(seen, ['file.received', 'file.x.y'])
})

test('a pattern is not a regular expression', async () => {
  const bus = new EventBus()
  const seen: string[] = []
  bus.subscribe('a.b+', event => {
    seen.push(event.topic)
  })
  for (const topic of ['a.bb', 'axb', 'a.b+']) bus.publish(topic, {})
  await turn()
  await turn()
  assert.deepEqual(seen, ['a.b+'])
})

test('[deps.events-publish] publishing returns before any listener runs, and never throws their errors', async () => {
  const { logger, log } = recordingLogger()
  const bus = new EventBus(logger)
  let calls = 0
  bus.subscribe('*', () => {
    calls++
    throw new Error('listener failed')
  })
  bus.publish('a', 1)
  bus.publish('b', 2)
  assert.equal(calls, 0)
  await turn()
  await turn()
  assert.equal(calls, 2)
  assert.equal(log.filter(entry => entry.level === 'error').length, 2)
})

test('[deps.events-publish] a slow listener loses the oldest events past 1,024 and does not block publishing', async () => {
  const { logger, log } = recordingLogger()
  const bus = new EventBus(logger)
  const slow: number[] = []
  const fast: number[] = []
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  bus.subscribe('n', async event => {
    slow.push(event.payload as number)
    await held
  })
  bus.subscribe('n', event => {
    fast.push(event.payload as number)
  })
  bus.publish('n', 0)
  await turn()
  await turn()
  for (let n = 1; n <= 1_030; n++) {
    bus.publish('n', n)
    if (n % 500 === 0) await turn()
  }
  await turn()
  assert.equal(fast.length, 1_031)
  release()
  for (let i = 0; i < 3; i++) await turn()
  assert.equal(slow.length, 1 + 1_024)
  assert.deepEqual(slow.slice(0, 2), [0, 7])
  assert.equal(slow.at(-1), 1_030)
  assert.deepEqual(
    log.map(({ message, fields }) => [message, fields]),
    [
      ['a subscriber is too slow: the oldest events are dropped', { topic: 'n' }],
      ['a slow subscriber has caught up', { dropped: 6 }],
    ],
  )
})

test('an ended subscription gets nothing more', async () => {
  const bus = new EventBus()
  const seen: unknown[] = []
  const unsubscribe = bus.subscribe('*', event => {
    seen.push(event.payload)
  })
  bus.publish('a', 1)
  await turn()
  await turn()
  bus.publish('a', 'still waiting')
  unsubscribe()
  bus.publish('a', 2)
  await turn()
  await turn()
  assert.deepEqual(seen, [1])
})

test('the type of an event follows the topic: a topic, a pattern, a topic of another service, any text', () => {
  const bus = new EventBus()
  bus.subscribe('message.received', ({ payload }) => void (payload.from satisfies string))
  bus.subscribe('*', ({ topic, payload }) => {
    if (topic === 'file.received') payload.filename satisfies string
    // @ts-expect-error: the events of other topics have no file name
    else payload.filename satisfies string
  })
  bus.subscribe('*.full', ({ topic }) => void (topic satisfies 'inbox.full' | 'received.full'))
  bus.subscribe('other.*', ({ topic, payload }) => void ([topic, payload] satisfies [string, unknown]))
  bus.subscribe('other.thing', ({ topic }) => void (topic satisfies 'other.thing'))
  // @ts-expect-error: the payload of a topic that is not known while compiling is unknown
  bus.subscribe('other.*' as string, ({ payload }) => void payload.from)
})

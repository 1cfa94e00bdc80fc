import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyedQueue } from '#lib/async/keyed-queue.js'

test('runs of one key wait for each other, even if one fails; runs of another key do not wait', async () => {
  const queue = new KeyedQueue()
  const order: string[] = []
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const first = queue.run('a', async () => {
    await held
    order.push('first')
    throw new Error('first')
  })
  const second = queue.run('a', async () => order.push('second'))
  await queue.run('b', async () => order.push('other'))
  release()
  await assert.rejects(first, /first/)
  await second
  assert.deepEqual(order, ['other', 'first', 'second'])
})

test('turns of one key come in the order they were taken, also if they end early', async () => {
  const queue = new KeyedQueue()
  const [first, second, third] = [queue.take('a'), queue.take('a'), queue.take('a')]
  await first.ready
  second.end()
  let hasCome = false
  void third.ready.then(() => {
    hasCome = true
  })
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(hasCome, false)
  first.end()
  await third.ready
})

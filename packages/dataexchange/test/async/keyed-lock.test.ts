import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyedLock } from '#lib/async/keyed-lock.js'

test('runs of one key wait for each other, whatever comes of them; those of another do not', async () => {
  const lock = new KeyedLock()
  const order: string[] = []
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const first = lock.run('a', async () => {
    await held
    order.push('first')
    throw new Error('first')
  })
  const second = lock.run('a', async () => order.push('second'))
  await lock.run('b', async () => order.push('other'))
  release()
  await assert.rejects(first, /first/)
  await second
  assert.deepEqual(order, ['other', 'first', 'second'])
})

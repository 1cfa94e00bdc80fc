import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { IS_OLD, twoNodes, until } from './original.js'

// Messages that wait in the outbox of serve while the original's daemon is away.

const COUNT = 20

test('messages that are queued while the daemon is away arrive when it is back, once and in their order', {
  skip: IS_OLD ? 'this version knows no message ids' : false,
}, async t => {
  const { a: anna, daemonA } = await twoNodes(t, { a: ['-no-dataexchange'] })
  const { running } = await anna.serve()
  daemonA.child.kill('SIGKILL')
  await once(daemonA.child, 'exit')
  // To itself: the other daemon takes most of a minute to notice that its tunnel has ended.
  for (let i = 0; i < COUNT; i++) {
    const queued = await anna.ok(['send-message', 'anna', `queued ${i}`, '--queue'])
    assert.deepEqual([queued.queued, queued.running], [true, true])
  }
  const waiting = async () => (await anna.ok(['outbox'])).total
  assert.equal(await waiting(), COUNT)
  await anna.daemon('anna', '-no-dataexchange')
  await running.errorLine(/connected to the daemon again/)
  await until(async () => (await waiting()) === 0, 60_000)
  assert.deepEqual(
    anna.messages().map(({ data }) => data),
    Array.from({ length: COUNT }, (_, i) => `queued ${i}`),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { defaultLogger, silentLogger } from '#lib/logger.js'
import { EventBus } from '#lib/plugin/events.js'

test('without a logger, an error that a listener throws goes to console.warn', async t => {
  const warn = t.mock.method(console, 'warn', () => {})
  const error = new Error('listener failed')
  const bus = new EventBus()
  bus.subscribe('*', () => {
    throw error
  })
  bus.publish('a', 1)
  await turn()
  await turn()
  assert.deepEqual(
    warn.mock.calls.map(call => call.arguments),
    [['pilot-dataexchange: a subscriber failed:', error]],
  )
})

test('the default logger prints nothing but errors, the silent logger nothing at all', t => {
  const warn = t.mock.method(console, 'warn', () => {})
  for (const level of ['debug', 'info', 'warn'] as const) defaultLogger[level]({}, 'x')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) silentLogger[level]({}, 'x')
  assert.equal(warn.mock.callCount(), 0)
})

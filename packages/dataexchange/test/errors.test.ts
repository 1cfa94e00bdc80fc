import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR_CODES } from '#lib/error-codes.js'
import {
  AbortError,
  AddressError,
  DeliveryError,
  DriverError,
  MailboxError,
  PilotError,
  PluginError,
  WireError,
} from '#lib/errors.js'

test('an error is an Error with its class, name, code, message and cause', () => {
  const cause = new Error('below')
  const made = [
    new WireError('FRAME_INVALID', 'm', { cause }),
    new AddressError('m', { cause }),
    new DriverError('TIMED_OUT', 'm', { cause }),
    new DeliveryError('PEER_REFUSED', 'm', { cause }),
    new MailboxError('STORE_FAILED', 'm', { cause }),
    new PluginError('CONFIG_INVALID', 'm', { cause }),
  ]
  for (const error of made) {
    assert.ok(error instanceof PilotError && error instanceof Error)
    assert.equal(error.name, error.constructor.name)
    assert.equal(ERROR_CODES[error.code].class, error.name)
    assert.equal(error.message, 'm')
    assert.equal(error.cause, cause)
    assert.match(error.stack ?? '', /errors\.test/)
  }
})

test('the number of the daemon and the answer of the receiver are set only if they were received', () => {
  assert.equal(new DriverError('DAEMON_REFUSED', 'm', { daemonCode: 3 }).daemonCode, 3)
  assert.equal('daemonCode' in new DriverError('DAEMON_REFUSED', 'm'), false)
  assert.equal(new DeliveryError('PEER_REFUSED', 'm', { answer: 'ERR' }).answer, 'ERR')
  assert.equal('answer' in new DeliveryError('PEER_REFUSED', 'm'), false)
})

test('an AbortError is a DriverError of code ABORTED', () => {
  const error = new AbortError('m', { cause: 'reason' })
  assert.ok(error instanceof DriverError)
  assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'ABORTED', 'reason'])
})

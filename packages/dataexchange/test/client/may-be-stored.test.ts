import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayBeStored } from '#lib/client/may-be-stored.js'
import { AbortError, DeliveryError, DriverError, WireError } from '#lib/errors.js'

test('a lost answer, a lost connection and an abort leave it open; so does an unknown error', () => {
  const open = [
    new DeliveryError('ANSWER_TIMED_OUT', ''),
    new DeliveryError('CONNECTION_CLOSED', ''),
    new DeliveryError('ANSWER_INVALID', ''),
    new DeliveryError('REPLY_TIMED_OUT', ''),
    new DriverError('STREAM_CLOSED', ''),
    new AbortError(''),
    new Error('ECONNRESET'),
    'a reason',
  ]
  for (const error of open) assert.equal(mayBeStored(error), true, String(error))
})

test('a refusal, a peer that was not reached and a message that cannot be sent say no', () => {
  const decided = [
    new DeliveryError('PEER_REFUSED', ''),
    new DeliveryError('PEER_UNSUPPORTED', ''),
    new DeliveryError('REPLY_FAILED', ''),
    new DeliveryError('SOURCE_UNREADABLE', ''),
    new DriverError('DIAL_FAILED', ''),
    new DriverError('DAEMON_UNAVAILABLE', ''),
    new WireError('FRAME_TOO_LARGE', ''),
  ]
  for (const error of decided) assert.equal(mayBeStored(error), false, String(error))
})

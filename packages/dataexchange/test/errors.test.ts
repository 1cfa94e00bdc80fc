import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as errors from '#lib/errors.js'
import {
  AddressError,
  DeliveryError,
  DriverError,
  ERROR_CODES,
  MailboxError,
  PilotError,
  PluginError,
  reasonForPeer,
  systemCode,
  WireError,
} from '#lib/errors.js'

const classes: Record<string, unknown> = { ...errors }
const entries = Object.entries(ERROR_CODES)

for (const [code, entry] of entries) {
  test(`${code} has a class, a meaning of one sentence and a short text for peers`, () => {
    assert.match(code, /^[A-Z0-9]+(_[A-Z0-9]+)*$/)
    const owner = classes[entry.class]
    assert.ok(typeof owner === 'function' && owner.prototype instanceof PilotError, entry.class)
    assert.match(entry.meaning, /^(the|a|an|two|one|bytes|what|no) [^\n]{15,}[^.\s]$/)
    assert.doesNotMatch(entry.meaning, /\. [A-Z]/)
    if (entry.toPeer !== null) assert.match(entry.toPeer, /^[a-zA-Z0-9 -]{5,60}$/)
  })
}

test('no meaning and no text for peers stands for two codes', () => {
  const meanings = entries.map(([, { meaning }]) => meaning)
  const texts = entries.map(([, { toPeer }]) => toPeer).filter(text => text !== null)
  assert.equal(new Set(meanings).size, meanings.length)
  assert.equal(new Set(texts).size, texts.length)
})

test('every class of errors carries codes, and every code is carried', () => {
  const carriers = new Set(entries.map(([, entry]) => entry.class))
  const exported = Object.keys(classes).filter(name => /^[A-Z]\w+Error$/.test(name) && name !== 'PilotError')
  assert.deepEqual([...carriers].sort(), exported.sort())
})

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

test('the daemon’s number and the receiver’s answer are there only where they came', () => {
  assert.equal(new DriverError('DAEMON_REFUSED', 'm', { daemonCode: 3 }).daemonCode, 3)
  assert.equal('daemonCode' in new DriverError('DAEMON_REFUSED', 'm'), false)
  assert.equal(new DeliveryError('PEER_REFUSED', 'm', { answer: 'ERR' }).answer, 'ERR')
  assert.equal('answer' in new DeliveryError('PEER_REFUSED', 'm'), false)
})

test('a peer reads the table’s text for the library’s errors', () => {
  assert.equal(reasonForPeer(new MailboxError('INBOX_FULL', 'secret')), 'inbox full')
  assert.equal(reasonForPeer(new WireError('FILENAME_MISSING', 'secret')), 'malformed file name')
  assert.equal(reasonForPeer(new PluginError('CONFIG_INVALID', 'secret')), 'internal error')
})

test('[ack.err-private] a peer reads the kind of a system error, never its message', () => {
  const full = systemError('ENOSPC', "no space left on device, open '/home/me/.pilot/inbox/x'")
  assert.equal(reasonForPeer(full), 'storage error: no space left')
  assert.equal(reasonForPeer(systemError('ENAMETOOLONG', '/home/me')), 'storage error: ENAMETOOLONG')
  assert.equal(
    reasonForPeer(new MailboxError('STORE_FAILED', '/home/me', { cause: full })),
    reasonForPeer(full),
  )
})

test('[ack.err-private] a failure to store without a system error is a storage error', () => {
  assert.equal(reasonForPeer(new MailboxError('STORE_FAILED', '/home/me')), 'storage error')
  const cause = new Error('/home/me')
  assert.equal(reasonForPeer(new MailboxError('STORE_FAILED', 'm', { cause })), 'storage error')
})

test('a failure to store is told by the error of the library that caused it', () => {
  const cause = new WireError('FRAME_TRUNCATED', 'secret')
  assert.equal(reasonForPeer(new MailboxError('STORE_FAILED', 'm', { cause })), 'truncated frame')
})

test('[ack.err-private] all else that is thrown is an internal error', () => {
  for (const thrown of [new Error('/home/me'), 'text', undefined, null, { code: 'ENOSPC' }]) {
    assert.equal(reasonForPeer(thrown), 'internal error')
  }
})

test('a system code is one of the operating system', () => {
  assert.equal(systemCode(systemError('ENOENT', '')), 'ENOENT')
  assert.equal(systemCode(systemError('ERR_INVALID_ARG_TYPE', '')), undefined)
  assert.equal(systemCode(new WireError('FRAME_INVALID', '')), undefined)
  assert.equal(systemCode(Object.assign(new Error(), { code: 5 })), undefined)
})

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

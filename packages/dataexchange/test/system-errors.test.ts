import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MailboxError, PluginError, WireError } from '#lib/errors.js'
import { reasonForPeer, systemCode } from '#lib/system-errors.js'

test('a peer receives the text of the table for an error of the library', () => {
  assert.equal(reasonForPeer(new MailboxError('INBOX_FULL', 'secret')), 'inbox full')
  assert.equal(reasonForPeer(new WireError('FILENAME_MISSING', 'secret')), 'malformed file name')
  assert.equal(reasonForPeer(new PluginError('CONFIG_INVALID', 'secret')), 'internal error')
})

test('[ack.err-private] a peer receives the kind of a system error, never its message', () => {
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

test('a failure to store gives the reason of the library error that caused it', () => {
  const cause = new WireError('FRAME_TRUNCATED', 'secret')
  assert.equal(reasonForPeer(new MailboxError('STORE_FAILED', 'm', { cause })), 'truncated frame')
})

test('[ack.err-private] any other thrown value is an internal error', () => {
  for (const thrown of [new Error('/home/me'), 'text', undefined, null, { code: 'ENOSPC' }]) {
    assert.equal(reasonForPeer(thrown), 'internal error')
  }
})

test('systemCode accepts only codes of the operating system', () => {
  assert.equal(systemCode(systemError('ENOENT', '')), 'ENOENT')
  assert.equal(systemCode(systemError('ERR_INVALID_ARG_TYPE', '')), undefined)
  assert.equal(systemCode(new WireError('FRAME_INVALID', '')), undefined)
  assert.equal(systemCode(Object.assign(new Error(), { code: 5 })), undefined)
})

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

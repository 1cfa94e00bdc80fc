import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Box, IS_OLD, outcome, twoNodes, until } from './original.js'
import { recorded } from './recording/recorder.js'

// Questions and their replies, between pilotctl and pilot-dx (sections 5 and 6).

const ANNA = '0:0000.0000.0001'
const BERT = '0:0000.0000.0002'
const NO_SERVICE = { a: ['-no-dataexchange'] }
const skip = IS_OLD ? 'this version knows no ids' : false

/** The inbox after a message with `data` has arrived, and the id of that message. */
async function arrival(box: Box, data: string) {
  await until(() => box.messages().some(message => message.data === data))
  const at = box.messages().findIndex(message => message.data === data)
  const id = (box.inboxNames()[at] ?? '').replace('.json', '')
  return { id, messageId: String(box.messages()[at]?.message_id) }
}

test('pilotctl --wait gets the reply that pilot-dx sends with --reply-to', { skip }, async t => {
  recorded(t, 'wait-theirs-reply-ours')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const asking = bert.startPilotctl('send-message', ANNA, '--data', 'the sum?', '--wait', '20s')
  const question = await arrival(anna, 'the sum?')
  await anna.ok(['send-message', BERT, 'to something else', '--reply-to', 'f00'])
  const answer = await anna.ok(['send-message', BERT, '42', '--reply-to', question.id])
  assert.equal(answer.reply_to, question.messageId)
  const { data, error } = await outcome(asking)
  assert.ok(data, JSON.stringify(error))
  const { reply, reply_after_ms: afterMs } = data
  assert.equal(data.message_id, question.messageId)
  assert.deepEqual(
    [reply.data, reply.from, reply.message_id, reply.reply_to],
    ['42', ANNA, answer.message_id, question.messageId],
  )
  assert.ok(afterMs > 0 && afterMs < 20_000)
})

test('--wait gets the reply that pilotctl sends with --reply-to, past one to another question', {
  skip,
}, async t => {
  recorded(t, 'wait-ours-reply-theirs')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const asking = anna.start(['--json', 'send-message', BERT, 'the sum?', '--wait', '20s'])
  const question = await arrival(bert, 'the sum?')
  await bert.pilotctlOk('send-message', ANNA, '--data', 'to something else', '--reply-to', 'f00')
  await bert.pilotctlOk('send-message', ANNA, '--data', '42', '--reply-to', question.id)
  const { data, error } = await outcome(asking)
  assert.ok(data, JSON.stringify(error))
  assert.equal(data.message_id, question.messageId)
  assert.deepEqual([data.reply.data, data.reply.from, data.reply.reply_to], ['42', BERT, question.messageId])
  assert.ok(data.reply_after_ms >= 0 && data.reply_after_ms < 20_000)
})

test('--wait takes a plain message from a peer that names no id, both ways', { skip }, async t => {
  recorded(t, 'wait-plain')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const ours = anna.start(['--json', 'send-message', BERT, 'from anna?', '--wait', '20s'])
  await arrival(bert, 'from anna?')
  await bert.pilotctlOk('send-message', ANNA, '--data', 'plain')
  const got = await outcome(ours)
  assert.deepEqual([got.data?.reply.data, got.data?.reply.reply_to], ['plain', undefined])

  const theirs = bert.startPilotctl('send-message', ANNA, '--data', 'from bert?', '--wait', '20s')
  await arrival(anna, 'from bert?')
  await anna.ok(['send-message', BERT, 'plain too'])
  const { data } = await outcome(theirs)
  assert.deepEqual([data?.reply.data, data?.reply.reply_to], ['plain too', undefined])

  // Both tell the same of a reply; ours its id in the inbox too.
  const fields = Object.keys(got.data.reply).filter(name => name !== 'id')
  assert.deepEqual(fields.sort(), Object.keys(data.reply).sort())
  const missing = Object.keys(data).filter(name => !(name in got.data))
  assert.deepEqual(missing, ['reused'])
})

test('--wait ends without a reply: the message is told, and that none came', { skip }, async t => {
  recorded(t, 'wait-ends')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const error = await anna.fails(['send-message', BERT, 'anyone?', '--wait', '300ms'])
  assert.deepEqual([error.exit, error.error_code, error.ack], [5, 'REPLY_TIMED_OUT', 'ACK TEXT 7 bytes'])
  assert.equal(bert.messages().length, 1)
})

test('--reply-on-conn to the original’s service falls back to TEXT, stored once under its id', {
  skip,
}, async t => {
  recorded(t, 'reply-on-conn')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const sent = await anna.ok(['send-message', BERT, 'the time?', '--reply-on-conn', '5s'])
  assert.deepEqual([sent.ack, sent.tagged, sent.reply], ['ACK TEXT 9 bytes', true, undefined])
  assert.deepEqual(
    bert.messages().map(({ type, data, message_id: id }) => [type, data, id]),
    [['TEXT', 'the time?', sent.message_id]],
  )
  // With --wait the reply may come by the inbox.
  await anna.serve()
  const flags = ['--reply-on-conn', '5s', '--wait', '20s']
  const asking = anna.start(['--json', 'send-message', BERT, 'and now?', ...flags])
  const question = await arrival(bert, 'and now?')
  await bert.pilotctlOk('send-message', ANNA, '--data', 'noon', '--reply-to', question.id)
  const { data } = await outcome(asking)
  assert.deepEqual([data?.reply.data, data?.reply.reply_to], ['noon', question.messageId])
})

test('pilotctl to a service that answers on the connection: it stores plain messages as ever', {
  skip,
}, async t => {
  recorded(t, 'answering-service')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve('--answer', 'cat')
  const sent = await bert.pilotctlOk('send-message', ANNA, '--data', 'hello')
  assert.equal(sent.ack, 'ACK TEXT 5 bytes')
  assert.equal(anna.messages()[0]?.data, 'hello')
})

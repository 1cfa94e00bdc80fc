import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DIFFERENT, MALFORMED, TAGGED } from './frame-cases.js'
import { answerTo } from './frames.js'
import { type Box, IS_OLD, originalBox, twoNodes } from './original.js'
import { recorded } from './recording/recorder.js'

// Message ids between the original's programs and ours (section 5).

const ANNA = '0:0000.0000.0001'
const BERT = '0:0000.0000.0002'
const NO_SERVICE = { a: ['-no-dataexchange'] }
const skip = IS_OLD ? 'this version knows no ids' : false

async function bothServices(t: TestContext) {
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const driver = await bert.driver(t)
  /** The answers of ours and of theirs. */
  const answers = async (frame: Uint8Array) =>
    [await answerTo(driver, ANNA, frame), await answerTo(driver, BERT, frame)] as const
  return { anna, bert, answers }
}

/** The ids of the messages in an inbox. */
function idsIn(box: Box): unknown[] {
  return box.messages().map(({ data, message_id: id, reply_to: replyTo }) => [data, id, replyTo])
}

test('pilotctl send-message to serve: its message_id and reply_to are in our inbox', { skip }, async t => {
  recorded(t, 'serve-takes-ids')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const { message_id: first, tagged } = await bert.pilotctlOk('send-message', 'anna', '--data', 'one')
  assert.match(first, /^[0-9a-f]{32}$/)
  assert.equal(tagged, true)
  const { message_id: second } = await bert.pilotctlOk(
    ...['send-message', 'anna', '--data', 'two', '--reply-to', first],
  )
  assert.deepEqual(idsIn(anna), [
    ['one', first, undefined],
    ['two', second, first],
  ])
  // An inbox id that names a message of ours.
  const [name = ''] = anna.inboxNames()
  const reply = ['send-message', 'bert', '--data', 'three', '--reply-to', name.replace('.json', '')]
  const { message_id: third, reply_to: replyTo } = await anna.pilotctlOk(...reply)
  assert.equal(replyTo, first)
  assert.deepEqual(idsIn(bert), [['three', third, first]])
  const { messages } = await anna.pilotctlOk('inbox')
  assert.deepEqual(
    messages.map((message: Record<string, unknown>) => [message.message_id, message.reply_to]),
    [
      [second, first],
      [first, undefined],
    ],
  )
})

test('the same on the embedded daemon', { skip }, async t => {
  recorded(t, 'pilotctl-ids')
  const box = originalBox(t)
  await box.serve('--embedded', '--hostname', 'alice')
  const { message_id: first } = await box.pilotctlOk('send-message', 'alice', '--data', 'one')
  const { message_id: second } = await box.pilotctlOk(
    ...['send-message', 'alice', '--data', 'two', '--reply-to', first],
  )
  assert.deepEqual(idsIn(box), [
    ['one', first, undefined],
    ['two', second, first],
  ])
})

test('send-message to the original’s service: message_id and reply_to are in its inbox', {
  skip,
}, async t => {
  recorded(t, 'client-ids')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const first = await anna.ok(['send-message', 'bert', 'one'])
  assert.deepEqual([first.tagged, first.ack], [true, 'ACK TEXT 3 bytes'])
  const id = first.message_id
  const second = await anna.ok(['send-message', 'bert', '[2]', '--type', 'json', '--reply-to', id])
  assert.deepEqual(idsIn(bert), [
    ['one', id, undefined],
    ['[2]', second.message_id, id],
  ])
  // Our own reader on what theirs has stored.
  const { messages } = await bert.ok(['inbox'])
  assert.deepEqual([messages[0].message_id, messages[0].reply_to], [second.message_id, id])
})

test('both services answer the same TAGGED frames alike, and store a duplicate once', { skip }, async t => {
  recorded(t, 'frames-tagged')
  const { anna, bert, answers } = await bothServices(t)
  for (const [what, frame] of TAGGED) {
    const [ours, theirs] = await answers(frame)
    assert.match(ours, /^1 (ACK|ERR) /, what)
    assert.equal(ours, theirs, what)
    assert.equal(ours.endsWith(' (duplicate)'), what.endsWith(' again'), what)
  }
  assert.deepEqual(idsIn(anna), idsIn(bert))
  assert.equal(anna.messages().length, TAGGED.filter(([what]) => what.startsWith('text')).length)
  const contents = (box: Box) =>
    [...box.files()].map(([name, content]) => `${name.replace(/\d/g, '0')} ${content}`).sort()
  assert.deepEqual(contents(anna), contents(bert))
  assert.equal(anna.files().size, 2)
})

test('a malformed TAGGED frame: ERR from ours, the end of the connection from theirs', {
  skip,
}, async t => {
  recorded(t, 'frames-malformed')
  const { anna, bert, answers } = await bothServices(t)
  for (const [what, frame] of MALFORMED) {
    const [ours, theirs] = await answers(frame)
    assert.match(ours, /^1 ERR (TAGGED|FILE) save failed: (malformed|unsafe) /, what)
    assert.equal(theirs, 'closed', what)
  }
  assert.deepEqual([...anna.messages(), ...bert.messages()], [])
})

test('what only one of them takes, as docs/compatibility.md lists it', { skip }, async t => {
  recorded(t, 'frames-different')
  const { anna, bert, answers } = await bothServices(t)
  for (const [what, frame, ours, theirs] of DIFFERENT) {
    assert.deepEqual(await answers(frame), [`1 ${ours}`, `1 ${theirs}`], what)
  }
  assert.deepEqual(idsIn(anna), [['other case', undefined, undefined]])
  assert.deepEqual(idsIn(bert), [
    ['other case', 'case', undefined],
    ['null', undefined, undefined],
    ['not UTF-8', 'n', undefined],
  ])
})

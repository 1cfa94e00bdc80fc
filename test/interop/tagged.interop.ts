import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { FrameType } from '#lib/wire/frame.js'
import { answerTo, bytes, filePayload, rawFrame, taggedFrame, text } from './frames.js'
import { type Box, IS_OLD, originalBox, twoNodes } from './original.js'

// Message ids between the original's programs and ours (section 5).

const ANNA = '0:0000.0000.0001'
const BERT = '0:0000.0000.0002'
const NO_SERVICE = { a: ['-no-dataexchange'] }
const skip = IS_OLD ? 'this version knows no ids' : false

async function bothServices(t: TestContext) {
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const driver = await bert.driver(t)
  /** What ours answers, and what theirs does. */
  const answers = async (frame: Uint8Array) =>
    [await answerTo(driver, ANNA, frame), await answerTo(driver, BERT, frame)] as const
  return { anna, bert, answers }
}

/** The ids of the messages in an inbox. */
function idsIn(box: Box): unknown[] {
  return box.messages().map(({ data, message_id: id, reply_to: replyTo }) => [data, id, replyTo])
}

test('pilotctl send-message to serve: its message_id and reply_to are in our inbox', { skip }, async t => {
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
  const { anna, bert, answers } = await bothServices(t)
  for (const [what, frame] of SAME) {
    const [ours, theirs] = await answers(frame)
    assert.match(ours, /^1 (ACK|ERR) /, what)
    assert.equal(ours, theirs, what)
    assert.equal(ours.endsWith(' (duplicate)'), what.endsWith(' again'), what)
  }
  assert.deepEqual(idsIn(anna), idsIn(bert))
  assert.equal(anna.messages().length, SAME.filter(([what]) => what.startsWith('text')).length)
  const contents = (box: Box) =>
    [...box.files()].map(([name, content]) => `${name.replace(/\d/g, '0')} ${content}`).sort()
  assert.deepEqual(contents(anna), contents(bert))
  assert.equal(anna.files().size, 2)
})

test('a malformed TAGGED frame: ERR from ours, the end of the connection from theirs', {
  skip,
}, async t => {
  const { anna, bert, answers } = await bothServices(t)
  for (const [what, frame] of MALFORMED) {
    const [ours, theirs] = await answers(frame)
    assert.match(ours, /^1 ERR (TAGGED|FILE) save failed: (malformed|unsafe) /, what)
    assert.equal(theirs, 'closed', what)
  }
  assert.deepEqual([...anna.messages(), ...bert.messages()], [])
})

test('what only one of them takes, as docs/compatibility.md lists it', { skip }, async t => {
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

const ID = '{"message_id":"a1"}'
const FILE_ID = '{"message_id":"f"}'
const headerOf = (id: unknown) => JSON.stringify({ message_id: id })
const tagged = (header: string | Uint8Array, value = 'x') => taggedFrame(header, FrameType.Text, text(value))
const file = (name: string, data: string) => taggedFrame(FILE_ID, FrameType.File, filePayload(name, data))

/** What is a duplicate ends with `again`; what is stored as a message begins with `text`. */
const SAME: [string, Uint8Array][] = [
  ['text', tagged(ID, 'one')],
  ['the same again', tagged(ID, 'one')],
  ['text with other bytes', tagged(ID, 'two')],
  ['text with another type', taggedFrame(ID, FrameType.JSON, text('one'))],
  ['text with a reply_to too', tagged('{"message_id":"a1","reply_to":"b"}', 'one')],
  ['the first again', tagged(ID, 'one')],
  ['text with a reply_to alone', tagged('{"reply_to":"b"}', 'three')],
  ['text with a reply_to alone, repeated', tagged('{"reply_to":"b"}', 'three')],
  ['a file', file('a.txt', 'abc')],
  ['the file again', file('a.txt', 'abc')],
  ['the file under another name', file('b.txt', 'abc')],
  ['text with no ids', tagged('{}', 'none')],
  ['text with unknown keys', tagged('{"message_id":"u","x":[1]}', 'unknown')],
  ['text with spaces in its header', tagged(' { "message_id" : "s" } ', 'spaces')],
  ['text with a key twice', tagged('{"message_id":"d1","message_id":"d2"}', 'twice')],
  ['text with an empty id', tagged(headerOf(''), 'empty')],
  ['text with an id that is null', tagged(headerOf(null), 'null')],
  ['text with an id of 128 characters', tagged(headerOf('i'.repeat(128)), 'long')],
  ['text with every kind of character in its id', tagged(headerOf('aZ0-_.:'), 'kinds')],
  ['text with a header of 1,024 bytes', tagged(ID.padEnd(1024), 'padded')],
  ['text of no bytes', taggedFrame(headerOf('e'), FrameType.Text, text(''))],
  ['an unknown type inside', taggedFrame(headerOf('v'), 99, text('x'))],
  ['type 0 inside', taggedFrame(headerOf('v'), 0, text('x'))],
]

const MALFORMED: [string, Uint8Array][] = [
  ['an id of 129 characters', tagged(headerOf('i'.repeat(129)))],
  ['an id with a space', tagged(headerOf('a b'))],
  ['an id with a slash', tagged(headerOf('a/b'))],
  ['an id that is not ASCII', tagged(headerOf('é'))],
  ['an id that is a number', tagged(headerOf(5))],
  ['a reply_to with a space', tagged('{"message_id":"r","reply_to":"a b"}')],
  ['a reply_to that is a number', tagged('{"message_id":"r","reply_to":5}')],
  ['a header that is no JSON', tagged('nope')],
  ['a header that is an array', tagged('[]')],
  ['a header that is a text', tagged('"x"')],
  ['something after the header', tagged('{}x')],
  ['an id that is no UTF-8', tagged(Buffer.concat([text('{"message_id":"'), bytes(0xff), text('"}')]))],
  ['a header of 1,025 bytes', tagged(ID.padEnd(1025))],
  ['a header of 0 bytes', tagged('')],
  ['a header past the end', taggedFrame(ID, FrameType.Text, text('x'), 500)],
  ['no payload', rawFrame(FrameType.Tagged, bytes())],
  ['one byte', rawFrame(FrameType.Tagged, bytes(0))],
  ['no inner type', rawFrame(FrameType.Tagged, Buffer.concat([bytes(0, 2), text('{}')]))],
  ['half an inner type', rawFrame(FrameType.Tagged, Buffer.concat([bytes(0, 2), text('{}'), bytes(0, 0)]))],
  ['a TAGGED inside', taggedFrame(ID, FrameType.Tagged, tagged(ID).subarray(8))],
  ['a FILE with a slash in its name', file('a/b', 'x')],
]

const DIFFERENT: [string, Uint8Array, string, string][] = [
  [
    'keys in other letters',
    tagged('{"Message_ID":"case"}', 'other case'),
    'ACK TEXT 10 bytes',
    'ACK TEXT 10 bytes',
  ],
  ['null', tagged('null', 'null'), 'ERR TAGGED save failed: malformed TAGGED frame', 'ACK TEXT 4 bytes'],
  [
    'a header that is not UTF-8 elsewhere',
    tagged(Buffer.concat([text('{"message_id":"n","x":"'), bytes(0xff), text('"}')]), 'not UTF-8'),
    'ERR TAGGED save failed: malformed TAGGED frame',
    'ACK TEXT 9 bytes',
  ],
  [
    'a FILE whose name length is a lie',
    taggedFrame(headerOf('l'), FrameType.File, bytes(0, 9, 65)),
    'ERR FILE save failed: malformed file name',
    'ACK FILE 3 bytes',
  ],
]

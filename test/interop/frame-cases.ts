import { type Frame, FrameType } from '#lib/wire/frame.js'
import { bytes, filePayload, rawFrame, taggedFrame, text } from './frames.js'

// Frames that both services are sent, and what is known of their answers: docs/compatibility.md lists it.

const ID = '{"message_id":"a1"}'
const FILE_ID = '{"message_id":"f"}'
const headerOf = (id: unknown) => JSON.stringify({ message_id: id })
const tagged = (header: string | Uint8Array, value = 'x') => taggedFrame(header, FrameType.Text, text(value))
const file = (name: string, data: string) => taggedFrame(FILE_ID, FrameType.File, filePayload(name, data))

const fileFrame = (filename: string, data: string): Frame => ({
  type: FrameType.File,
  filename,
  payload: text(data),
})

/** Both services give the same answers to these, and none of them has ids. */
export const PLAIN: [string, Frame | Uint8Array][] = [
  ['text', { type: FrameType.Text, payload: text('héllo <&> "\\/\u2028\u0000\u007f') }],
  ['empty text', { type: FrameType.Text, payload: bytes() }],
  ['text that is not UTF-8', { type: FrameType.Text, payload: bytes(0x61, 0xff, 0xc3, 0x28) }],
  ['binary', { type: FrameType.Binary, payload: bytes(0, 255, 128, 10) }],
  ['JSON', { type: FrameType.JSON, payload: text('{"a":[1,2]}') }],
  ['invalid JSON', { type: FrameType.JSON, payload: text('{') }],
  ['a file', fileFrame('a.txt', 'abc')],
  ['an empty file', fileFrame('empty.txt', '')],
  ['no extension', fileFrame('README', 'x')],
  ['two extensions', fileFrame('a.tar.gz', 'x')],
  ['a name that is not ASCII', fileFrame('é ö.txt', 'x')],
  ['an empty name', fileFrame('', 'data')],
  ['a name with a slash', rawFrame(FrameType.File, Buffer.concat([bytes(0, 4), text('../ax')]))],
  ['a name that is not UTF-8', rawFrame(FrameType.File, bytes(0, 2, 0xff, 0x41, 1))],
  ['a length over the cap', bytes(0, 0, 0, 1, 0x20, 0, 0, 1)],
]

/** Both give the same answers. A duplicate ends with `again`; a stored message begins with `text`. */
export const TAGGED: [string, Uint8Array][] = [
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

/** The connection ends with theirs; ours answers with ERR. */
export const MALFORMED: [string, Uint8Array][] = [
  ['an id of 129 characters', tagged(headerOf('i'.repeat(129)))],
  ['an id with a space', tagged(headerOf('a b'))],
  ['an id with a slash', tagged(headerOf('a/b'))],
  ['an id that is not ASCII', tagged(headerOf('é'))],
  ['an id that is a number', tagged(headerOf(5))],
  ['a reply_to with a space', tagged('{"message_id":"r","reply_to":"a b"}')],
  ['a reply_to that is a number', tagged('{"message_id":"r","reply_to":5}')],
  ['a header that is not JSON', tagged('nope')],
  ['a header that is an array', tagged('[]')],
  ['a header that is a text', tagged('"x"')],
  ['something after the header', tagged('{}x')],
  ['an id that is not UTF-8', tagged(Buffer.concat([text('{"message_id":"'), bytes(0xff), text('"}')]))],
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

/** The answers of ours and of theirs. */
export const DIFFERENT: [string, Uint8Array, string, string][] = [
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

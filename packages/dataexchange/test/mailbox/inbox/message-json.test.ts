import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  layoutMessage,
  type MessageRecord,
  PayloadScan,
  payloadFacts,
  renderMessage,
  streamMessage,
} from '#lib/mailbox/inbox/message-json.js'
import { goText, inPieces } from '../../helpers/temp-mailbox.js'

const RECORD: MessageRecord = {
  type: 'TEXT',
  from: '0:0000.0000.0001',
  receivedAt: '2026-01-01T00:00:00.000000001Z',
}

function render(record: MessageRecord, payload: Uint8Array, includeBase64 = false): string {
  const layout = layoutMessage(record, payloadFacts(payload), includeBase64)
  const text = Buffer.concat(renderMessage(layout, payload))
  assert.equal(text.length, layout.size)
  return text.toString()
}

test('[inbox.object] [inbox.b64-absent] valid text: unchanged data, no base64, keys in order', () => {
  assert.equal(
    render(RECORD, Buffer.from('hé "quoted"\n')),
    '{"type":"TEXT","from":"0:0000.0000.0001","data":"hé \\"quoted\\"\\n","bytes":13,' +
      '"received_at":"2026-01-01T00:00:00.000000001Z","data_encoding":"utf8"}',
  )
})

test('the ids come last, and only if given', () => {
  const text = render({ ...RECORD, messageId: 'm1', replyTo: 'r1' }, Buffer.from('x'), true)
  assert.deepEqual(Object.keys(JSON.parse(text)), [
    'type',
    'from',
    'data',
    'bytes',
    'received_at',
    'data_encoding',
    'data_b64',
    'message_id',
    'reply_to',
  ])
  assert.match(text, /"data_b64":"eA==","message_id":"m1","reply_to":"r1"}$/)
  const one = JSON.parse(render({ ...RECORD, replyTo: 'r1' }, Buffer.from('x')))
  assert.equal('message_id' in one, false)
  assert.equal(one.reply_to, 'r1')
})

const CASES: [
  what: string,
  type: string,
  hex: string,
  include: boolean,
  encoding: string,
  base64: boolean,
][] = [
  ['text', 'TEXT', '6869', false, 'utf8', false],
  ['text with includeBase64', 'TEXT', '6869', true, 'utf8', true],
  ['empty text', 'TEXT', '', false, 'utf8', false],
  ['text with a byte order mark', 'TEXT', 'efbbbf6869', false, 'utf8', false],
  ['text that is not UTF-8', 'TEXT', 'c328e282', false, 'base64', true],
  ['JSON', 'JSON', '7b7d', false, 'utf8', false],
  ['JSON that is not UTF-8', 'JSON', '22ff22', false, 'base64', true],
  ['BINARY that is UTF-8', 'BINARY', '6869', false, 'base64', true],
  ['BINARY', 'BINARY', '00ff80', false, 'base64', true],
  ['controls that are not UTF-8', 'TEXT', '0001221fff5c7fc3', false, 'base64', true],
  ['empty BINARY', 'BINARY', '', false, 'base64', true],
]

for (const [what, type, hex, include, encoding, base64] of CASES) {
  test(`[inbox.data] [inbox.data-replacement] [inbox.encoding-utf8] [inbox.encoding-base64] [inbox.b64-binary] fields of ${what}`, () => {
    const payload = Buffer.from(hex, 'hex')
    const json = JSON.parse(render({ ...RECORD, type }, payload, include))
    assert.equal(json.type, type)
    assert.equal(json.data, goText(payload))
    assert.equal(json.bytes, payload.length)
    assert.equal(json.data_encoding, encoding)
    assert.equal(json.data_b64, base64 ? payload.toString('base64') : undefined)
    assert.equal('data_truncated' in json, false)
  })
}

const KiB = 1024
const MiB = KiB * KiB

test('256 KiB of any bytes keep all of their text; one byte more is truncated', () => {
  const payload = Buffer.alloc(256 * KiB, 0xff)
  const json = JSON.parse(render(RECORD, payload))
  assert.equal(json.data, '\uFFFD'.repeat(256 * KiB))
  const larger = JSON.parse(render(RECORD, Buffer.alloc(256 * KiB + 1, 0xff)))
  assert.equal(larger.data, '\uFFFD'.repeat(KiB))
  assert.equal(larger.data_truncated, true)
})

test('large BINARY: whole as base64, one KiB as text, cut between code points', () => {
  const payload = Buffer.from(`a${'é'.repeat(MiB)}`)
  const text = render({ ...RECORD, type: 'BINARY', messageId: 'm' }, payload)
  const json = JSON.parse(text)
  assert.deepEqual(Buffer.from(json.data_b64, 'base64'), payload)
  assert.equal(json.data, `a${'é'.repeat(511)}`)
  assert.match(text, /","data_truncated":true,"message_id":"m"}$/)
})

test('large text is whole as long as its JSON stays below 256 MiB', () => {
  const start = Buffer.from('start')
  const facts = { length: 60 * MiB, utf8: true, escapedLength: 256 * MiB - 1, start }
  const whole = layoutMessage(RECORD, facts, false)
  assert.deepEqual(
    whole.parts.filter(part => typeof part === 'string'),
    ['text'],
  )

  const tooLong = layoutMessage(RECORD, { ...facts, escapedLength: 256 * MiB }, false)
  assert.deepEqual(
    tooLong.parts.filter(part => typeof part === 'string'),
    ['base64'],
  )
  const around = tooLong.parts.map(part => (part instanceof Uint8Array ? Buffer.from(part) : '')).join('')
  const json = JSON.parse(around)
  assert.equal(json.data, 'start')
  assert.equal(json.data_encoding, 'base64')
  assert.equal(json.data_truncated, true)
  assert.equal(tooLong.size, Buffer.byteLength(around) + 80 * MiB)

  const both = layoutMessage(RECORD, { ...facts, escapedLength: 177 * MiB }, true)
  assert.deepEqual(
    both.parts.filter(part => typeof part === 'string'),
    ['base64'],
  )
  const fits = layoutMessage(RECORD, { ...facts, escapedLength: 175 * MiB }, true)
  assert.deepEqual(
    fits.parts.filter(part => typeof part === 'string'),
    ['text', 'base64'],
  )
})

test('a payload in pieces gives the same file', async () => {
  for (const payload of [Buffer.from('é\n"😀'.repeat(60 * KiB)), Buffer.alloc(300 * KiB, 0xe2)]) {
    const scan = new PayloadScan()
    for await (const piece of inPieces(payload, 1021)) scan.push(piece)
    const layout = layoutMessage(RECORD, scan.facts, true)
    const parts: Uint8Array[] = []
    for await (const part of streamMessage(layout, () => inPieces(payload, 3 * KiB))) parts.push(part)
    assert.equal(Buffer.concat(parts).toString(), render(RECORD, payload, true))
  }
})

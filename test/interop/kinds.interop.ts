import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FrameType } from '#lib/wire/frame.js'
import { fileOf, fileStreamVectors, frameVectors, fromHex } from '../helpers/vectors.js'
import { answerTo } from './frames.js'
import { type Box, IS_OLD, originalBox, twoNodes } from './original.js'
import { recorded } from './recording/recorder.js'
import { numbered } from './recording/runs.js'

// Every kind of frame that a command line can send, at sizes and under names that no other test has.

const skip = IS_OLD ? 'this version has no --data-file' : false
/** Neither command line sends a message of no bytes. */
const SIZES = [1, 8192, 2 ** 20]
const TYPES = { text: FrameType.Text, binary: FrameType.Binary, json: FrameType.JSON }
const NAMES = [
  'plain.txt',
  'façade é.tar.gz',
  'отчёт.pdf',
  '報告書.md',
  'تقرير.txt',
  'רשימה',
  'สวัสดี.bin',
  'नमस्ते.json',
  '👩‍🚀 🚀.png',
  '.env',
  `${'n'.repeat(200)}.x`,
]

async function served(t: TestContext, name: string): Promise<Box> {
  recorded(t, name)
  const box = originalBox(t)
  await box.serve('--embedded', '--hostname', 'alice')
  return box
}

test('pilotctl send-message of each type and size', { skip }, async t => {
  const box = await served(t, 'pilotctl-sizes')
  for (const type of Object.keys(TYPES)) {
    for (const size of SIZES) {
      const file = box.write(`${type}-${size}`, content(type, size))
      const { ack } = await box.pilotctlOk('send-message', 'alice', '--data-file', file, '--type', type)
      assert.equal(ack, `ACK ${type.toUpperCase()} ${size} bytes`)
    }
  }
})

test('pilot-dx send-message of each type and size to the original’s service', { skip }, async t => {
  recorded(t, 'client-sizes')
  const { a: anna } = await twoNodes(t)
  for (const type of Object.keys(TYPES)) {
    for (const size of SIZES) {
      const file = anna.write(`${type}-${size}`, content(type, size))
      const { ack } = await anna.ok(['send-message', 'bert', '--data-file', file, '--type', type])
      assert.equal(ack, `ACK ${type.toUpperCase()} ${size} bytes`)
    }
  }
})

test('pilotctl send-file under names of many scripts, in one frame and in chunks', { skip }, async t => {
  const box = await served(t, 'pilotctl-names')
  for (const [index, name] of NAMES.entries()) {
    const file = box.write(join('files', name), numbered(index + 1, index))
    for (const flags of [[], ['--no-stream']]) await box.pilotctlOk('send-file', 'alice', file, ...flags)
  }
  assert.equal(box.files().size, 2 * NAMES.length)
})

test('pilot-dx send-file under the same names to the original’s service', { skip }, async t => {
  recorded(t, 'client-names')
  const { a: anna, b: bert } = await twoNodes(t)
  for (const [index, name] of NAMES.entries()) {
    const file = anna.write(join('files', name), numbered(index + 1, index))
    await anna.ok(['send-file', 'bert', file])
  }
  assert.equal(bert.files().size, NAMES.length)
})

test('pilotctl sends what the vectors have written, and receives what they have read', { skip }, async t => {
  const box = await served(t, 'pilotctl-vectors')
  for (const { type, filename = '', payload_hex: payload, name } of frameVectors.encode) {
    const content = fromHex(payload)
    if (type === FrameType.File && filename !== '') {
      await box.pilotctlOk('send-file', 'alice', box.write(filename, content), '--no-stream')
    }
    const word = Object.entries(TYPES).find(([, number]) => number === type)?.[0]
    if (word === undefined || content.length === 0) continue
    const file = box.write(name.replaceAll(' ', '-'), content)
    await box.pilotctlOk('send-message', 'alice', '--data-file', file, '--type', word)
  }
  for (const vector of fileStreamVectors) {
    const content = fileOf(vector)
    const partial = join('.pilot', 'received', '.partial', vector.sha256.slice(0, 32))
    if (vector.bytes_already_on_receiver > 0) {
      box.write(partial, content.subarray(0, vector.bytes_already_on_receiver))
    }
    await box.pilotctlOk('send-file', 'alice', box.write(vector.filename, content))
  }
})

test('the original’s service takes and refuses what the vectors say', { skip }, async t => {
  recorded(t, 'frames-vectors')
  const { b: bert } = await twoNodes(t)
  const driver = await bert.driver(t)
  const address = String((await driver.info()).address)
  for (const { name, ok, type = 0, reason = '', wire_hex: wire } of frameVectors.decode) {
    // An end of the stream cannot be told and an answer be read after it.
    if ((!ok && !reason.startsWith('filename')) || type === FrameType.Trace || type === FrameType.FileStream)
      continue
    const answer = await answerTo(driver, address, fromHex(wire))
    assert.match(answer, ok ? /^1 (ACK|ERR) / : /^closed$/, name)
  }
})

function content(type: string, size: number): Uint8Array {
  if (type === 'binary') return numbered(size)
  return Buffer.from(type === 'json' ? '7'.repeat(size) : 'x'.repeat(size))
}

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import * as wire from '#lib/wire/index.js'
import { evaluate } from '../../../../test/helpers/child.js'
import { importsOf, sourceFiles, withoutComments, withoutStrings } from '../../../../test/helpers/sources.js'

const reached = reachedFrom('packages/dataexchange/src/wire/index.ts')

test('wire exports exactly its public names', () => {
  assert.deepEqual(Object.keys(wire).sort(), [
    'DriverError',
    'FRAME_HEADER_SIZE',
    'FileStreamKind',
    'FrameDecoder',
    'FrameParser',
    'FrameType',
    'MAX_FRAME_SIZE',
    'PilotError',
    'TRACE_HEADER_SIZE',
    'WireError',
    'ackText',
    'decodeFileStream',
    'decodeTraceAnswer',
    'duplicateText',
    'encodeFileStream',
    'encodeFrame',
    'encodeHeader',
    'encodeTaggedHeader',
    'encodeTraceAnswer',
    'errText',
    'isMessageId',
    'newMessageId',
    'parseAnswer',
    'readFrame',
    'readTaggedPayload',
    'readTracePayload',
    'traceErrText',
    'traceToFrame',
    'typeName',
    'unsupportedText',
    'writeFrame',
    'writeFrameFrom',
    'writeTraceFrame',
  ])
})

test('wire reaches its own folder and base files only', () => {
  const base = reached.filter(path => !path.startsWith('packages/dataexchange/src/wire/'))
  assert.deepEqual(base.sort(), [
    'packages/dataexchange/src/bytes.ts',
    'packages/dataexchange/src/error-codes.ts',
    'packages/dataexchange/src/errors.ts',
    'packages/dataexchange/src/frame-limits.ts',
  ])
  for (const path of sourceFiles('packages/dataexchange/src/wire'))
    assert.ok(reached.includes(path), `${path} is not reached`)
})

for (const path of reached) {
  test(`${path} imports nothing of Node and names no global of it`, () => {
    const source = readFileSync(path, 'utf8')
    for (const name of importsOf(source)) assert.match(name, /^\.\.?\//, `imports ${name}`)
    const code = withoutStrings(withoutComments(source))
    for (const name of ['Buffer', 'process', 'require', 'setImmediate', 'NodeJS', '__dirname', 'global']) {
      assert.doesNotMatch(code, new RegExp(`(?<![\\w.])${name}\\b(?!:)`), `names ${name}`)
    }
  })
}

test('wire runs where there is no Buffer and no process', async () => {
  const frame = await evaluate(`
    const print = console.log
    delete globalThis.Buffer
    delete globalThis.process
    const { FrameDecoder, encodeFrame, decodeTraceAnswer } = await import(${JSON.stringify(import.meta.resolve('#lib/wire/index.js'))})
    if (globalThis.Buffer || globalThis.process) throw new Error('the globals are still there')
    const decoder = new FrameDecoder()
    const file = { type: 4, filename: '日.txt', payload: Uint8Array.of(1, 2, 3) }
    const [frame] = encodeFrame(file).flatMap(piece => decoder.push(piece))
    decoder.finish()
    try { decodeTraceAnswer('') } catch ({ code }) { frame.code = code }
    print(JSON.stringify({ ...frame, payload: [...frame.payload] }))`)
  assert.deepEqual(frame, { type: 4, filename: '日.txt', payload: [1, 2, 3], code: 'TRACE_ANSWER_INVALID' })
})

/** The source files that `start` imports, directly or not, itself included. */
function reachedFrom(start: string): string[] {
  const found = [start]
  for (const path of found) {
    for (const name of importsOf(readFileSync(path, 'utf8'))) {
      const target = join(dirname(path), name)
      if (name.startsWith('.') && !found.includes(target)) found.push(target)
    }
  }
  return found
}

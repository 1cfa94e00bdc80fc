import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Command } from '#lib/pilot/ipc-messages.js'
import { FRAME_HEADER_SIZE, FrameType } from '#lib/wire/frame.js'
import { readTaggedPayload } from '#lib/wire/tagged.js'
import { fileStreamVectors, frameVectors } from '../helpers/vectors.js'
import { pack, unpack } from '../interop/recording/runs.js'
import { sentBy, streamsOf } from '../interop/recording/streams.js'
import {
  formatEvent,
  NEWEST,
  parseEvent,
  RECORDINGS,
  readTranscripts,
  type Transcript,
  VERSIONS,
} from '../interop/recording/transcript.js'

// That the recordings are all there and of one version each, and what they say of the vectors.

const newest = readTranscripts(NEWEST)
const results = JSON.parse(readFileSync(join('test', 'interop', 'results.json'), 'utf8'))

test('each test that is recorded has its recording, and none is left over', () => {
  const sources = readdirSync(join('test', 'interop')).filter(name => name.endsWith('.interop.ts'))
  const wanted = sources.flatMap(name => {
    const source = readFileSync(join('test', 'interop', name), 'utf8')
    return [...source.matchAll(/(?:recorded\(t, |served\(t, )'([a-z][a-z-]+)'/g)].map(
      match => match[1] as string,
    )
  })
  assert.deepEqual(
    newest.map(({ name }) => name),
    wanted.sort(),
  )
})

for (const version of VERSIONS) {
  test(`the recordings of ${version} are whole, of one version, and of a run that passed`, () => {
    const transcripts = readTranscripts(version)
    const run = results[version]
    assert.ok(transcripts.length > 0 && run)
    for (const transcript of transcripts) {
      assert.deepEqual(transcript.versions, transcripts[0]?.versions, transcript.name)
      for (const [program, told] of Object.entries(run.versions)) {
        assert.equal(transcript.versions[program]?.version, told)
      }
      const row = run.rows.find(({ name }: { name: string }) => name === transcript.test)
      assert.equal(row?.status, 'passes', transcript.name)
      assertWhole(transcript)
    }
  })
}

test('all of them together are small enough to be kept', () => {
  const files = readdirSync(RECORDINGS, { recursive: true, encoding: 'utf8' })
  const size = files.reduce((sum, name) => sum + statSync(join(RECORDINGS, name)).size, 0)
  assert.ok(size < 1_000_000, `${size} bytes`)
})

test('what pilotctl has written of frames is what the vectors say', () => {
  const recorded = new Set(framesOf('pilotctl-vectors').map(frame => frame.toString('hex')))
  const spoken = frameVectors.encode.filter(({ type, payload_hex: payload }) => {
    // It sends no message of no bytes, and TRACE with a time of its own.
    return type === FrameType.File || (type <= FrameType.JSON && type > 0 && payload !== '')
  })
  assert.ok(spoken.length >= 17)
  for (const { name, wire_hex: wire } of spoken) assert.ok(recorded.has(wire), name)
})

test('what pilotctl has written of transfers, and what it was answered, are the vectors byte for byte', () => {
  const streams = streamsOf(transcriptOf('pilotctl-vectors'))
  for (const { name, sender_frames_hex: sender, receiver_frames_hex: receiver } of fileStreamVectors) {
    const stream = streams.find(stream => sentBy('client', stream).toString('hex') === sender.join(''))
    assert.ok(stream, name)
    assert.equal(sentBy('daemon', stream).toString('hex'), receiver.join(''), name)
  }
})

test('what the vectors have read is what the original’s service of today answers to', () => {
  const answers = new Map(
    streamsOf(transcriptOf('frames-vectors')).map(stream => [
      sentBy('client', stream).toString('hex'),
      sentBy('daemon', stream).toString('latin1'),
    ]),
  )
  const asked = frameVectors.decode.filter(({ wire_hex: wire }) => answers.has(wire))
  assert.ok(asked.length >= 10)
  for (const { name, ok, wire_hex: wire } of asked) {
    assert.match(answers.get(wire) as string, ok ? /(ACK|ERR) [A-Z]+/ : /^$/, name)
  }
})

function transcriptOf(name: string): Transcript {
  return newest.find(transcript => transcript.name === name) as Transcript
}

/** Ends and beginnings are there, and every line reads as what it was written from. */
function assertWhole({ name, programs, events }: Transcript): void {
  const parsed = events.map(parseEvent)
  assert.deepEqual(parsed.map(formatEvent), events, name)
  for (const event of parsed) {
    if (event.kind === 'message') assert.equal(pack(unpack(event.payload)), event.payload)
  }
  for (const [index, { exit, args }] of programs.entries()) {
    assert.ok(events.includes(`start ${index}`), `${name}: program ${index} has not started`)
    const runsToTheEnd = args[0] === 'serve' || args.length === 0
    assert.equal(
      events.includes(`exit ${index}`),
      exit !== undefined,
      `${name}: the end of ${args.join(' ')}`,
    )
    assert.ok(exit !== undefined || runsToTheEnd, `${name}: ${args.join(' ')} has not ended`)
  }
  assert.ok(parsed.some(event => event.kind === 'message' && event.command !== Command.Info, name))
}

/** The frames that a recording's clients have sent; of TAGGED, what is in it. */
function framesOf(name: string): Buffer[] {
  return streamsOf(transcriptOf(name)).flatMap(stream => {
    const frames: Buffer[] = []
    let rest = sentBy('client', stream)
    while (rest.length > 0) {
      const end = FRAME_HEADER_SIZE + rest.readUInt32BE(4)
      frames.push(inner(rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
    return frames
  })
}

function inner(frame: Buffer): Buffer {
  if (frame.readUInt32BE() !== FrameType.Tagged) return frame
  const { innerType, payload } = readTaggedPayload({
    type: FrameType.Tagged,
    payload: frame.subarray(FRAME_HEADER_SIZE),
  })
  const head = Buffer.alloc(FRAME_HEADER_SIZE)
  head.writeUInt32BE(innerType)
  head.writeUInt32BE(payload.length, 4)
  return Buffer.concat([head, payload])
}

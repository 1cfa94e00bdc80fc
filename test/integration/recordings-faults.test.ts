import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Command } from '#lib/pilot/ipc-messages.js'
import { replay } from '../interop/recording/replay.js'
import { pack, unpack } from '../interop/recording/runs.js'
import {
  formatEvent,
  NEWEST,
  parseEvent,
  readTranscripts,
  type Transcript,
} from '../interop/recording/transcript.js'

// A replay is a test: one byte that is not as it was recorded makes it fail.

const transcripts = readTranscripts(NEWEST)
const byName = (name: string) => transcripts.find(transcript => transcript.name === name) as Transcript

const FAULTS: [what: string, transcript: Transcript, message: RegExp][] = [
  [
    'an answer of our service',
    changed('pilotctl-messages', Command.Recv, 'ACK TEXT 8 bytes', 'ACK TEXT 9 bytes'),
    /pilotctl-messages, event \d+, .*'ACK TEXT 9 bytes'/,
  ],
  [
    'what pilotctl has sent, so that something else is stored',
    changed('pilotctl-messages', Command.Send, '{"a":1}', '{"a":2}'),
    /stored in a/,
  ],
  [
    'what our client sends',
    changed('client-trace', Command.Dial, '\x03\xe9', '\x03\xea'),
    /client-trace, event \d+/,
  ],
  [
    'an answer to FILESTREAM',
    changed('serve-takes-streams', Command.Send, '\0\x19\x05', '\0\x19\x03'),
    /serve-takes-streams, event/,
  ],
  [
    'an answer of the daemon',
    changed('sdk-streams', Command.Error, 'refused', 'refuted'),
    /sdk-streams, event/,
  ],
  ['an exit code', { ...byName('client-trace'), programs: withExit('client-trace', 1) }, /event \d+, exit 0/],
  ['more than was recorded', without('client-trace', Command.Send), /instead came 0x06/],
]

describe('a replay fails', { concurrency: 4 }, () => {
  for (const [what, transcript, message] of FAULTS) {
    test(`for ${what}`, t => assert.rejects(replay(t, transcript), error => matches(error, message)))
  }
})

test('every message of ours in a small recording is looked at: each of them changed, each a failure', async t => {
  const original = byName('pilotctl-wait')
  const places = original.events.flatMap((line, index) => {
    const event = parseEvent(line)
    // The end of a stream has no bytes but its number, and what is told in INFO as JSON has fields that may differ.
    const isCompared =
      event.kind === 'message' && event.from === 'daemon' && event.command !== Command.CloseOk
    return isCompared && event.command !== Command.DialOk ? [index] : []
  })
  assert.ok(places.length >= 4)
  for (const place of places) await assert.rejects(replay(t, flipped(original, place)), `${place}`)
})

/** The last byte but one of an event, another one. */
function flipped(transcript: Transcript, place: number): Transcript {
  const events = transcript.events.map((line, index) => {
    const event = parseEvent(line)
    if (index !== place || event.kind !== 'message') return line
    const bytes = unpack(event.payload)
    const at = bytes.length - 2
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    return formatEvent({ ...event, payload: pack(bytes) })
  })
  return { ...transcript, events }
}

/** With `to` for `from` in the first message of this command that has it. */
function changed(name: string, command: number, from: string, to: string): Transcript {
  let isDone = false
  const transcript = byName(name)
  const events = transcript.events.map(line => {
    const event = parseEvent(line)
    if (isDone || event.kind !== 'message' || event.command !== command) return line
    const text = unpack(event.payload).toString('latin1')
    if (!text.includes(from)) return line
    isDone = true
    return formatEvent({ ...event, payload: pack(Buffer.from(text.replace(from, to), 'latin1')) })
  })
  assert.ok(isDone, `${name} has no ${from}`)
  return { ...transcript, events }
}

/** Without the messages of this command. */
function without(name: string, command: number): Transcript {
  const transcript = byName(name)
  const isKept = (line: string) => {
    const event = parseEvent(line)
    return event.kind !== 'message' || event.command !== command
  }
  return { ...transcript, events: transcript.events.filter(isKept) }
}

function withExit(name: string, exit: number): Transcript['programs'] {
  return byName(name).programs.map(program => ({ ...program, exit }))
}

function matches(error: unknown, message: RegExp): boolean {
  assert.match((error as Error).message, message)
  return true
}

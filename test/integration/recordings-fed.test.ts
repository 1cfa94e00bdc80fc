import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeFrame } from '#lib/wire/encode.js'
import { type ServiceHarness, startService } from '../helpers/service-harness.js'
import { DIFFERENT, MALFORMED } from '../interop/frame-cases.js'
import { type Answers, feed } from '../interop/recording/feed.js'
import { plainJson } from '../interop/recording/rules.js'
import { receivedOf, shortened } from '../interop/recording/stored.js'
import { streamsOf } from '../interop/recording/streams.js'
import { type Home, NEWEST, readTranscripts } from '../interop/recording/transcript.js'

// Sends the recorded frames for the original's service to ours: the answers and the stored fields are the same.

describe('what the original’s service was sent, to ours', { concurrency: 8 }, () => {
  for (const transcript of readTranscripts(NEWEST)) {
    const dialled = new Set(streamsOf(transcript).map(({ address }) => address))
    for (const [name, home] of Object.entries(transcript.homes)) {
      if (home.service !== 'theirs' || !dialled.has(home.address)) continue
      test(`${transcript.name}, ${home.address}`, async t => {
        const service = await startService(t)
        const answers = await feed(service, transcript, name)
        assert.notEqual(answers.length, 0)
        for (const answer of answers) if (answer.ours !== answer.theirs) assertKnown(transcript.name, answer)
        if (!(transcript.name in STORED_OTHERWISE)) assertStored(home, service)
      })
    }
  }
})

test('each difference of answers that is known is in the recordings', async t => {
  const seen: string[] = []
  for (const name of ['frames-malformed', 'frames-different']) {
    const transcript = readTranscripts(NEWEST).find(transcript => transcript.name === name)
    assert.ok(transcript)
    const answers = await feed(await startService(t), transcript, 'b')
    seen.push(...answers.filter(({ ours, theirs }) => ours !== theirs).map(({ request }) => hex(request)))
  }
  const known = [...MALFORMED, ...DIFFERENT.filter(([, , ours, theirs]) => ours !== theirs)]
  assert.deepEqual(seen.sort(), known.map(([, frame]) => hex(frame)).sort())
})

/** The live tests say what each of these stores. */
const STORED_OTHERWISE: Record<string, string> = {
  'frames-different': 'what only one of them takes',
  'frames-vectors': 'names that theirs does not store, and names that lie',
  'reply-on-conn': 'ours stores AUTOANSWER; what came after it is a duplicate then',
}

function assertKnown(name: string, { request, ours, theirs }: Answers): void {
  const what = `theirs ${theirs}, ours ${ours}, to ${hex(request).slice(0, 200)}`
  const different = DIFFERENT.find(([, frame]) => hex(frame) === hex(request))
  if (different !== undefined) {
    assert.deepEqual([ours, theirs], [`1 ${different[2]}`, `1 ${different[3]}`], what)
    return
  }
  const isKnown = OTHERS.some(
    other => other.in === name && theirs.startsWith(other.theirs) && ours.startsWith(other.ours),
  )
  if (isKnown) return
  assert.ok(MALFORMED.some(([, frame]) => hex(frame) === hex(request)) && theirs === 'closed', what)
  assert.match(ours, /^1 ERR /, what)
}

/** Known frames that are not in the tables. */
const OTHERS = [
  { in: 'reply-on-conn', theirs: '1 ERR UNKNOWN(6) ', ours: '1 ACK AUTOANSWER ' },
  // A name length that is a lie.
  { in: 'frames-vectors', theirs: '1 ACK FILE ', ours: '1 ERR FILE save failed: malformed file name' },
  // A name of 255 bytes, and one with a NUL.
  { in: 'frames-vectors', theirs: '1 ERR FILE save failed: write: ', ours: '1 ACK FILE ' },
  // COMPLETE failed says why in other words; INIT-ACK after it begins anew where theirs keeps the part.
  { in: 'client-resumes', theirs: '7 \u0006', ours: '7 \u0006' },
  { in: 'client-resumes', theirs: '7 \u0005', ours: '7 \u0005' },
]

function assertStored(home: Home, service: ServiceHarness): void {
  const messages = service.messages()
  assert.equal(messages.length, home.inbox.length)
  for (const [index, theirs] of home.inbox.entries()) {
    // Our fields that the original has too. Our client has another address than the recorded one.
    const same = Object.fromEntries(Object.keys(theirs).map(key => [key, messages[index]?.[key]]))
    assert.deepEqual(plain({ ...same, from: theirs.from }), plain(theirs))
  }
  const files = receivedOf(service.files()).filter(({ name }) => !name.startsWith('unnamed-'))
  assert.deepEqual(withoutNumbers(files), withoutNumbers(home.received))
}

function plain(message: Record<string, unknown>): unknown {
  return plainJson(shortened(message))
}

/**
 * Theirs counts messages and files together, ours each by itself. Ours has no name that begins with a dash, and `_` for
 * characters that cannot be seen.
 */
function withoutNumbers(received: Home['received']): string[] {
  const names = received.map(({ name, content }) => {
    const known = name.replace(/(^|_?-)\d{8}-\d{6}\.\d{3}-\d{6}(?=\.|$)/, '-*').replace(/\p{Cf}/gu, '_')
    return `${known} ${content}`
  })
  return names.sort()
}

function hex(bytes: Uint8Array | Parameters<typeof encodeFrame>[0]): string {
  const whole = bytes instanceof Uint8Array ? bytes : Buffer.concat(encodeFrame(bytes))
  return Buffer.from(whole).toString('hex')
}

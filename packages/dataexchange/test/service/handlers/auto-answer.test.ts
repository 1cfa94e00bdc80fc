import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AnswerError } from '#lib/errors.js'
import { FIXED_LIMITS, LIMITS } from '#lib/limits.js'
import type { Stream } from '#lib/pilot/transport.js'
import { CLOSE_LINGER_MS } from '#lib/service/connection.js'
import { MAX_REQUEST_SIZE } from '#lib/service/handlers/auto-answer.js'
import type { AnswerHook } from '#lib/service/requests/request-answerer.js'
import { ANSWERS_AT_ONCE_PER_PEER } from '#lib/service/requests/request-answerer.js'
import type { ServiceConfig } from '#lib/service/service.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { decodeTraceAnswer, traceToFrame } from '#lib/wire/trace.js'
import {
  closed,
  closeStream,
  startService,
  text,
  textOf,
} from '../../../../../test/helpers/service-harness.ts'
import { CLIENT_ADDRESS } from '../../../../../test/helpers/socket-streams.ts'

const request = (payload: string | Uint8Array): Frame => ({
  type: FrameType.AutoAnswer,
  payload: Buffer.from(payload),
})

/** A service, and the connections of a test to it, which are closed before it is stopped. */
async function start(t: TestContext, config: ServiceConfig = {}) {
  const streams: Stream[] = []
  t.after(() => Promise.all(streams.map(closeStream)))
  const node = await startService(t, config)
  const dial = async () => {
    const stream = await node.dial()
    streams.push(stream)
    return stream
  }
  /** Sends a request on a connection of its own, which stays open. */
  const asked = async (frame: Frame) => {
    const stream = await dial()
    await writeFrame(stream, frame)
    return stream
  }
  return { ...node, dial, asked }
}

/** A hook whose runs end when the test says so. */
function held() {
  const runs: { text: string; signal: AbortSignal; finish: (reply: string) => void }[] = []
  let wake = () => {}
  const answer: AnswerHook = ({ text }, signal) =>
    new Promise(finish => {
      runs.push({ text, signal, finish })
      wake()
    })
  const started = async (count: number) => {
    while (runs.length < count) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
    return runs
  }
  return { answer, started }
}

async function failure(stream: Stream): Promise<unknown> {
  const frame = await readFrame(stream)
  assert.equal(frame?.type, FrameType.JSON)
  return JSON.parse(textOf(frame))
}

test('[autoanswer.ack-reply] [autoanswer.reply-text] [autoanswer.not-stored] a request is acknowledged, answered on its connection, and not stored', async t => {
  const seen: unknown[] = []
  const node = await start(t, {
    answer: async ({ text, from, address, size, receivedAt }) => {
      seen.push({ text, from, address: address.toString(), size })
      assert.ok(Math.abs(receivedAt.getTime() - Date.now()) < 60_000)
      return `you said: ${text}`
    },
  })
  const stream = await node.asked(request('wer bist Du? é'))
  assert.equal(textOf(await readFrame(stream)), 'ACK+REPLY AUTOANSWER 15 bytes')
  const reply = await readFrame(stream)
  assert.deepEqual([reply?.type, textOf(reply)], [FrameType.Text, 'you said: wer bist Du? é'])
  const from = CLIENT_ADDRESS.toString()
  assert.deepEqual(seen, [{ text: 'wer bist Du? é', from, address: from, size: 15 }])
  assert.deepEqual(node.messages(), [])
  assert.deepEqual(node.events, [{ topic: 'request.answered', payload: { from, size: 15, reply_size: 25 } }])
})

test('[autoanswer.ack-reply] the acknowledgement does not wait for the reply', async t => {
  const { answer, started } = held()
  const node = await start(t, { answer })
  const stream = await node.asked(request('slow'))
  assert.equal(textOf(await readFrame(stream)), 'ACK+REPLY AUTOANSWER 4 bytes')
  const [run] = await started(1)
  run?.finish('done')
  assert.equal(textOf(await readFrame(stream)), 'done')
})

test('[autoanswer.stored] a node without an answerer stores the request like TEXT', async t => {
  const node = await start(t)
  assert.deepEqual(await node.ask(request('anybody?')), ['ACK AUTOANSWER 8 bytes'])
  const [{ type, data } = {}] = node.messages()
  assert.deepEqual([type, data], ['AUTOANSWER', 'anybody?'])
})

test('[autoanswer.waits] later frames of the connection are stored, and answered after the reply; the sender closes', async t => {
  const { answer, started } = held()
  const node = await start(t, { answer })
  const stream = await node.asked(request('first'))
  await writeFrame(stream, text('behind'))
  assert.equal(textOf(await readFrame(stream)), 'ACK+REPLY AUTOANSWER 5 bytes')
  const [run] = await started(1)
  while (node.messages().length === 0) await new Promise(resolve => setImmediate(resolve))
  run?.finish('reply')
  assert.equal(textOf(await readFrame(stream)), 'reply')
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 6 bytes')
  assert.ok(!stream.closed, 'it is the sender who closes')
})

test('[autoanswer.bound] an open request ends after 40 s, also if the sender does not close', async t => {
  const node = await start(t, { answer: () => 'reply', idleTimeoutMs: -1, frameTimeoutMs: -1 })
  const stream = await node.dial()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  await writeFrame(stream, request('x'))
  await readFrame(stream)
  await readFrame(stream)
  t.mock.timers.tick(LIMITS.exchangeTimeout.value - 1)
  await writeFrame(stream, text('still open'))
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 10 bytes')
  const over = closed(stream)
  stream.resume()
  t.mock.timers.tick(1)
  // The linger begins at the end of the connection.
  const ticking = setInterval(() => t.mock.timers.tick(CLOSE_LINGER_MS), 5)
  await over
  clearInterval(ticking)
})

test('a reply that exceeds its time, and the idle time: the signal of the hook is aborted, and the peer gets the failure', async t => {
  let signal: AbortSignal | undefined
  const answer: AnswerHook = (_, given) => {
    signal = given
    return new Promise<string>(() => {})
  }
  const node = await start(t, { answer, replyTimeoutMs: 300, idleTimeoutMs: 50 })
  const stream = await node.asked(request('x'))
  assert.equal(textOf(await readFrame(stream)), 'ACK+REPLY AUTOANSWER 1 bytes')
  assert.deepEqual(await failure(stream), { error: 'the answer took too long' })
  assert.equal(signal?.aborted, true)
})

const failures: [string, AnswerHook, string][] = [
  ['throws', () => Promise.reject(new Error('/home/me/secret')), 'the answer failed'],
  [
    'throws at once',
    () => {
      throw new Error('/home/me/secret')
    },
    'the answer failed',
  ],
  [
    'throws an AnswerError',
    () => Promise.reject(new AnswerError('ANSWER_UNFIT', '/home/me')),
    'the reply cannot be sent',
  ],
  ['gives no text', () => 5 as unknown as string, 'the reply cannot be sent'],
  ['gives bytes that are not UTF-8', () => Uint8Array.of(0xff), 'the reply cannot be sent'],
  ['gives more than a frame holds', () => 'x'.repeat(70_000), 'the reply cannot be sent'],
]

for (const [what, answer, error] of failures) {
  test(`a hook that ${what}: a JSON frame tells the peer, without internal details`, async t => {
    const node = await start(t, { answer, maxFrameSize: 65_536 })
    const stream = await node.asked(request('x'))
    await readFrame(stream)
    assert.deepEqual(await failure(stream), { error })
    const [line] = node.log.filter(({ level }) => level === 'warn')
    assert.equal(line?.message, `requests were not answered: ${error}`)
    assert.ok(line?.fields.err instanceof AnswerError)
    const failed = error === 'the answer failed' ? ['the answer hook failed'] : []
    assert.deepEqual(
      node.log.filter(({ level }) => level === 'error').map(({ message }) => message),
      failed,
    )
    assert.deepEqual(node.service.refusals, { [`requests were not answered: ${error}`]: 1 })
    // The connection stays open.
    await writeFrame(stream, text('next'))
    assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 4 bytes')
  })
}

test('a reply that reads like a failure is still a reply: it is TEXT', async t => {
  const node = await start(t, { answer: () => 'ERR AUTOANSWER save failed: no' })
  const stream = await node.asked(request('x'))
  await readFrame(stream)
  assert.equal((await readFrame(stream))?.type, FrameType.Text)
})

test('an empty request and an empty reply are delivered as such', async t => {
  const node = await start(t, { answer: ({ text }) => text })
  const stream = await node.asked(request(''))
  assert.equal(textOf(await readFrame(stream)), 'ACK+REPLY AUTOANSWER 0 bytes')
  const reply = await readFrame(stream)
  assert.deepEqual([reply?.type, reply?.payload.length], [FrameType.Text, 0])
})

test('a request over the limit of a peer is refused; a place is free again after the reply was written', async t => {
  const { answer, started } = held()
  const node = await start(t, { answer })
  const places = ANSWERS_AT_ONCE_PER_PEER
  const streams: Stream[] = []
  for (let n = 0; n < places; n++) {
    const stream = await node.asked(request(String(n)))
    assert.equal(textOf(await readFrame(stream)), 'ACK+REPLY AUTOANSWER 1 bytes')
    streams.push(stream)
  }
  const busy = 'ERR AUTOANSWER save failed: busy: too many requests are being answered; try again later'
  const [first] = streams
  assert.ok(first)
  assert.deepEqual(await node.ask(request('one more')), [busy])

  const runs = await started(places)
  runs[0]?.finish('free')
  assert.equal(textOf(await readFrame(first)), 'free')
  for (let n = 0; ; n++) {
    const [answer] = await node.ask(request('again'))
    if (answer === 'ACK+REPLY AUTOANSWER 5 bytes') break
    assert.equal(answer, busy)
    assert.ok(n < 1000)
  }
})

test('a hook that ignores its signal keeps its place, and delays nobody', async t => {
  const node = await start(t, { answer: () => new Promise<string>(() => {}), replyTimeoutMs: 20 })
  for (let n = 0; n < ANSWERS_AT_ONCE_PER_PEER; n++) {
    const stream = await node.asked(request('x'))
    await readFrame(stream)
    assert.deepEqual(await failure(stream), { error: 'the answer took too long' })
  }
  const [answer] = await node.ask(request('x'))
  assert.match(answer ?? '', /busy/)
})

test('[autoanswer.admission] a request is admitted and rate limited like any frame', async t => {
  const config: ServiceConfig = {
    answer: () => 'reply',
    accept: ({ type }) => type !== 'AUTOANSWER' || 'no questions',
  }
  const node = await start(t, config)
  assert.deepEqual(await node.ask(request('x'), text('y')), [
    'ERR AUTOANSWER save failed: refused: no questions',
    'ACK TEXT 1 bytes',
  ])
  const rated = await start(t, { answer: () => 'reply', rates: { framesPerSecond: 0.001 } })
  assert.deepEqual(await rated.ask(text('x')), ['ACK TEXT 1 bytes'])
  assert.match((await rated.ask(request('x')))[0] ?? '', /sends too much/)
})

test('a request over the limit, or not UTF-8, is refused; one at the limit is answered', async t => {
  const node = await start(t, { answer: ({ size }) => String(size) })
  const limit = MAX_REQUEST_SIZE
  assert.deepEqual(await node.ask(request(Buffer.alloc(limit + 1, 'a')), request(Uint8Array.of(0xff))), [
    'ERR AUTOANSWER save failed: the request is larger than 262144 bytes',
    'ERR AUTOANSWER save failed: the request is not UTF-8',
  ])
  const stream = await node.asked(request(Buffer.alloc(limit, 'a')))
  assert.equal(textOf(await readFrame(stream)), `ACK+REPLY AUTOANSWER ${limit} bytes`)
  assert.equal(textOf(await readFrame(stream)), String(limit))
  // The places are free again.
  for (let n = 0; n < 10; n++) assert.equal((await node.ask(request('x')))[0], 'ACK+REPLY AUTOANSWER 1 bytes')
})

test('inside a TRACE a request is stored, as without an answerer', async t => {
  const node = await start(t, { answer: () => assert.fail() })
  const stream = await node.dial()
  const payload = Buffer.from('probe')
  await writeFrame(stream, traceToFrame({ sentAtNs: 1n, innerType: FrameType.AutoAnswer, payload }))
  assert.equal(decodeTraceAnswer(textOf(await readFrame(stream))).innerAck, 'ACK AUTOANSWER 5 bytes')
  assert.deepEqual(
    node.messages().map(({ data }) => data),
    ['probe'],
  )
  await closeStream(stream)
})

test('the answer for a peer that leaves is aborted', async t => {
  const { answer, started } = held()
  const node = await start(t, { answer })
  const stream = await node.asked(request('x'))
  const [run] = await started(1)
  assert.ok(run)
  const told = new Promise(resolve => run.signal.addEventListener('abort', resolve, { once: true }))
  stream.destroy()
  await told
})

test('stop() gives a running answer its time, then aborts it and tells the peer, without waiting for the hook', async t => {
  const { answer, started } = held()
  const node = await start(t, { answer })
  const [quick, slow] = [await node.asked(request('quick')), await node.asked(request('slow'))]
  for (const stream of [quick, slow]) await readFrame(stream)
  const runs = await started(2)
  const before = performance.now()
  const stopping = node.service.stop()
  runs.find(({ text }) => text === 'quick')?.finish('in time')
  assert.equal(textOf(await readFrame(quick)), 'in time')
  assert.deepEqual(await failure(slow), { error: 'the service stops answering' })
  await stopping
  assert.ok(performance.now() - before < FIXED_LIMITS.stopTimeout.value)
})

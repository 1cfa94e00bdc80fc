import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Client } from '#lib/client/client.js'
import type { Stream } from '#lib/pilot/transport.js'
import type { ServiceConfig } from '#lib/service/service.js'
import { encodeFrame } from '#lib/wire/encode.js'
import { FrameType, typeName } from '#lib/wire/frame.js'
import { readFrame } from '#lib/wire/frame-io.js'
import { readTaggedPayload } from '#lib/wire/tagged.js'
import { Sandbox } from '../helpers/cli.js'
import { startPeer, startServiceNode } from '../helpers/nodes.js'

const TIMEOUT = { timeout: 30_000 }

/** Alice's node, and a command line that is hers; a reply never takes the whole of the wait. */
async function alice(t: TestContext) {
  const box = new Sandbox(t)
  const node = await startServiceNode(t, box.dir, 'alice')
  const own = ['--socket', node.daemon.socketPath, '--inbox', node.inboxDir]
  const send = (...args: string[]) => ['send-message', ...own, ...args]
  return { box, node, send, address: node.daemon.address.toString() }
}

/** Bob's node, which answers a message that comes with what `reply` does. */
async function bob(
  t: TestContext,
  { box, node }: Awaited<ReturnType<typeof alice>>,
  reply: (message: Record<string, unknown>, toAlice: Client) => Promise<unknown>,
  config: ServiceConfig = {},
) {
  const answering = await startServiceNode(t, box.dir, 'bob', config)
  const toAlice = await Client.dial(answering.driver, node.daemon.address)
  t.after(() => toAlice.close())
  answering.runtime.events.subscribe('message.received', async () => {
    const message = answering.messages().at(-1)
    if (message !== undefined) await reply(message, toAlice)
  })
  return answering
}

/** A peer without the service, whose answers a test gives, a connection after the other. */
async function oldPeer(
  t: TestContext,
  folder: string,
  serve: (stream: Stream, connection: number) => Promise<void>,
) {
  const { driver, daemon } = await startPeer(t, folder, 'bob')
  const listener = await driver.listen(1001)
  t.after(() => listener.close())
  void (async () => {
    let connection = 0
    for await (const stream of listener) void serve(stream, ++connection).catch(() => {})
  })().catch(() => {})
  return { driver, daemon }
}

function say(stream: Stream, text: string): void {
  stream.write(Buffer.concat(encodeFrame({ type: FrameType.Text, payload: Buffer.from(text) })))
}

test(
  '[reply.named] --wait prints the reply that names the message, and not what comes before it',
  TIMEOUT,
  async t => {
    const a = await alice(t)
    await bob(t, a, async ({ message_id: id, data }, toAlice) => {
      await toAlice.deliver({ text: 'of another' }, { replyTo: 'another' })
      await toAlice.deliver({ text: 'unasked' })
      await toAlice.deliver({ text: `about ${data}` }, { messageId: 'bob-1', replyTo: String(id) })
    })
    const told = await a.box.ok(a.send('bob', 'work', '--wait', '20s'))
    const { id, received_at: at, ...reply } = told.reply
    assert.match(id, /^TEXT-/)
    assert.ok(at)
    assert.deepEqual(reply, {
      from: told.to,
      type: 'TEXT',
      bytes: 10,
      message_id: 'bob-1',
      reply_to: told.message_id,
      data: 'about work',
      data_encoding: 'utf8',
    })
    assert.equal(told.ack, 'ACK TEXT 4 bytes')
    assert.ok(told.reply_after_ms >= 0 && told.reply_after_ms < 20_000)

    const text = await a.box.run(a.send('bob', 'more', '--wait', '20s'))
    assert.deepEqual([text.code, text.stdout], [0, 'ACK TEXT 4 bytes\nabout more'])
    const quiet = await a.box.run(a.send('bob', 'more', '--wait', '20s', '--quiet'))
    assert.deepEqual([quiet.stdout, quiet.stderr], ['about more', ''])
  },
)

test('[reply.untagged] --wait takes the message of a peer that names no id', TIMEOUT, async t => {
  const a = await alice(t)
  await bob(t, a, ({ data }, toAlice) => toAlice.deliver({ binary: Buffer.from(`\xff${data}`, 'latin1') }))
  const { reply } = await a.box.ok(a.send('bob', 'x', '--wait', '20s'))
  assert.deepEqual(
    [reply.type, reply.data_b64],
    ['BINARY', Buffer.from('\xffx', 'latin1').toString('base64')],
  )
  const { stdout } = await a.box.run(a.send('bob', 'x', '--wait=20s', '--quiet'))
  assert.equal(stdout, '\ufffdx')
})

test(
  'two nodes, each a process: one waits, the other replies to the message in its inbox',
  TIMEOUT,
  async t => {
    const box = new Sandbox(t)
    const bobs = ['--socket', join(box.dir, 'bob.sock'), '--home', join(box.dir, 'bob')]
    const first = box.start(['serve', '--json', '--hostname', 'alice'])
    const second = box.start(['serve', '--json', '--hostname', 'bob', ...bobs])
    for (const serving of [first, second]) await serving.line(/"status":"ok"/)

    const waiting = box.start(['send-message', '--json', 'bob', 'question', '--wait', '20s'])
    await second.line(/message\.received/)
    const [asked] = (await box.ok(['inbox', ...bobs])).messages
    const answer = await box.ok(['send-message', 'alice', 'answer', '--reply-to', asked.id, ...bobs])
    const { stdout, code } = await waiting.done
    assert.equal(code, 0)
    const { message_id: id, reply } = JSON.parse(stdout).data
    assert.deepEqual([asked.message_id, answer.reply_to], [id, id])
    assert.deepEqual([reply.data, reply.reply_to, reply.message_id], ['answer', id, answer.message_id])
  },
)

test(
  'a peer that knows no ids gets the message without, and its next message is the reply',
  TIMEOUT,
  async t => {
    const a = await alice(t)
    const seen: string[] = []
    const peer = await oldPeer(t, a.box.dir, async stream => {
      for (let frame = await readFrame(stream); frame !== null; frame = await readFrame(stream)) {
        seen.push(typeName(frame.type))
        if (frame.type !== FrameType.Text)
          say(stream, `ACK UNKNOWN(${frame.type}) ${frame.payload.length} bytes`)
        else {
          say(stream, `ACK TEXT ${frame.payload.length} bytes`)
          const toAlice = await Client.dial(peer.driver, a.node.daemon.address)
          await toAlice.deliver({ text: 'from old bob' })
          await toAlice.close()
        }
      }
    })
    const waited = await a.box.ok(a.send('bob', 'x', '--wait', '20s'))
    assert.deepEqual([waited.reply.data, waited.tagged], ['from old bob', false])
    assert.deepEqual(seen, ['TAGGED', 'TEXT'])

    const asked = await a.box.ok(a.send('bob', 'x', '--reply-on-conn', '--wait', '20s'))
    assert.deepEqual([asked.reply.data, asked.ack], ['from old bob', 'ACK TEXT 1 bytes'])
    assert.deepEqual(seen.slice(2), ['TAGGED', 'AUTOANSWER', 'TEXT'])
  },
)

test('no reply in time is exit code 5; the ACK is told', TIMEOUT, async t => {
  const a = await alice(t)
  await startServiceNode(t, a.box.dir, 'bob')
  const error = await a.box.fails(a.send('bob', 'x', '--wait', '100ms'))
  assert.deepEqual(
    [error.exit, error.code, error.error_code, error.ack, error.tagged],
    [5, 'timeout', 'REPLY_TIMED_OUT', 'ACK TEXT 1 bytes', true],
  )
  assert.match(error.message_id, /^[0-9a-f]{32}$/)
  const { stdout, stderr, code } = await a.box.run(a.send('bob', 'x', '--wait', '100ms'))
  assert.deepEqual([code, stdout], [5, 'ACK TEXT 1 bytes\n'])
  assert.match(stderr, /^error: no reply from .* within 100 ms/m)
})

test('--reply-on-conn prints the reply of a peer that answers', TIMEOUT, async t => {
  const a = await alice(t)
  const config = {
    answer: ({ text, messageId }: { text: string; messageId?: string }) => `${text} ${messageId}`,
  }
  await startServiceNode(t, a.box.dir, 'bob', config)
  const told = await a.box.ok(a.send('bob', 'x', '--reply-on-conn'))
  assert.equal(told.ack, 'ACK+REPLY AUTOANSWER 1 bytes')
  const { received_at: at, ...reply } = told.reply
  assert.ok(at)
  const data = `x ${told.message_id}`
  assert.deepEqual(reply, { from: told.to, type: 'TEXT', bytes: 34, data, data_encoding: 'utf8' })
  const { stdout } = await a.box.run(a.send('bob', 'x', '--reply-on-conn', '30s', '--wait', '--quiet'))
  assert.match(stdout, /^x [0-9a-f]{32}$/)
})

test('--reply-on-conn: a peer that answers nothing has stored it, and may reply later', TIMEOUT, async t => {
  const a = await alice(t)
  const node = await bob(t, a, ({ type, message_id: id }, toAlice) =>
    toAlice.deliver({ text: `got ${type}` }, { replyTo: String(id) }),
  )
  const { code, stdout, stderr } = await a.box.run(a.send('bob', 'x', '--reply-on-conn'))
  assert.deepEqual([code, stdout], [0, 'ACK AUTOANSWER 1 bytes\n'])
  assert.match(stderr, /does not answer on the connection; the request is in its inbox/)
  assert.equal((await a.box.ok(a.send('bob', 'x', '--reply-on-conn'))).reply, undefined)
  assert.equal(node.messages().length, 2)
  const { reply } = await a.box.ok(a.send('bob', 'x', '--reply-on-conn', '--wait', '20s'))
  assert.equal(reply.data, 'got AUTOANSWER')
})

test('--reply-on-conn: an answer that fails is told, with what was acknowledged', TIMEOUT, async t => {
  const a = await alice(t)
  await startServiceNode(t, a.box.dir, 'bob', { answer: () => Promise.reject(new Error('secret')) })
  const error = await a.box.fails(a.send('bob', 'x', '--reply-on-conn', '--wait'))
  assert.deepEqual(
    [error.exit, error.error_code, error.ack],
    [1, 'REPLY_FAILED', 'ACK+REPLY AUTOANSWER 1 bytes'],
  )
  assert.match(error.message, /did not reply: the answer failed$/)
})

test('a lost answer leads to one more try under the same id; not with --no-resend', TIMEOUT, async t => {
  const a = await alice(t)
  const ids: unknown[] = []
  await oldPeer(t, a.box.dir, async (stream, connection) => {
    const frame = await readFrame(stream)
    if (frame === null) return
    ids.push(readTaggedPayload(frame).messageId)
    if (connection % 2 === 1) stream.destroy()
    else say(stream, 'ACK TEXT 1 bytes (duplicate)')
    await once(stream, 'close')
  })
  const sent = await a.box.ok(a.send('bob', 'x'))
  assert.deepEqual([sent.resent, sent.duplicate, sent.message_id], [true, true, ids[0]])
  assert.deepEqual(ids, [ids[0], ids[0]])
  const error = await a.box.fails(a.send('bob', 'x', '--no-resend'))
  assert.deepEqual([error.exit, error.error_code], [4, 'CONNECTION_CLOSED'])
  assert.equal(ids.length, 3)
})

test('options that cannot be right', TIMEOUT, async t => {
  const a = await alice(t)
  const own = join(a.box.dir, 'alice-inbox')
  const toAlice = await Client.dial((await startPeer(t, a.box.dir, 'bob')).driver, a.node.daemon.address)
  await toAlice.deliver({ text: 'without an id' })
  await toAlice.close()
  const [{ id }] = (await a.box.ok(['inbox', '--dir', own])).messages
  const cases: [string[], RegExp][] = [
    [['--wait', '30'], /Say the unit: 30s/],
    [['--wait', '5s', '--count', '2'], /waited for to one message/],
    [['--reply-on-conn', '--count', '2'], /waited for to one message/],
    [['--reply-on-conn', '--trace'], /does not go with --trace/],
    [['--reply-on-conn', '--type', 'binary'], /does not go with --type binary/],
    [['--reply-to', 'not an id'], /is not a message of .*, and no message id/],
    [['--reply-to', 'TEXT-20260131-120000.000-000001'], /is not a message of/],
    [['--reply-to', id], /has no message id: its sender gave it none/],
    [['--reply-to', `${id}.json`], /has no message id/],
  ]
  for (const [options, message] of cases) {
    const error = await a.box.fails(a.send('alice', 'x', ...options))
    assert.equal(error.exit, 2)
    assert.match(error.message, message)
  }
  // A text that is not a message of the inbox is a message id.
  const sent = await a.box.ok(a.send('alice', 'x', '--reply-to', 'their-id:1'))
  assert.equal(sent.reply_to, 'their-id:1')
  assert.equal(a.node.messages().at(-1)?.reply_to, 'their-id:1')
})

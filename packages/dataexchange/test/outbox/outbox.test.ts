import assert from 'node:assert/strict'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { Outbox } from '#lib/outbox/outbox.js'
import { newMessageId } from '#lib/wire/message-id.js'
import { addService, openOutbox } from '../../../../test/helpers/outbox-harness.ts'
import { tempDir } from '../../../../test/helpers/temp-dir.ts'

const ADDRESS = '0:0000.0000.000A'

function errorCode(code: string): (error: { code?: string }) => boolean {
  return error => {
    assert.equal(error.code, code)
    return true
  }
}

test('what was added is on the disk, listed, and needs no peer and no daemon', async t => {
  const { outbox, dir } = await openOutbox(t)
  const id = await outbox.add('bob', { text: 'hello' }, { replyTo: 'r-1' })
  assert.match(id, /^[0-9a-f]{32}$/)
  const [name = '', ...others] = readdirSync(dir).filter(name => name.endsWith('.msg'))
  assert.deepEqual(others, [])
  assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
  assert.equal(statSync(dir).mode & 0o777, 0o700)

  const [entry] = await (await Outbox.open({ dir })).list()
  assert.ok(entry)
  const { addedAt, expiresAt, ...rest } = entry
  assert.deepEqual(rest, {
    id,
    status: 'queued',
    target: 'bob',
    type: 'TEXT',
    size: 5,
    replyTo: 'r-1',
    tries: 0,
    maybeStored: false,
  })
  assert.ok(Math.abs(addedAt - Date.now()) < 60_000)
  assert.ok(Math.abs((expiresAt ?? 0) - addedAt - 7 * 24 * 3_600_000) < 60_000)
  assert.deepEqual(await outbox.counts(), {
    queued: 1,
    failed: 0,
    size: statSync(join(dir, name)).size,
    running: false,
  })
})

test('every kind of message arrives as it was, in its order, with its ids', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const bob = await addService(t, net)
  const path = join(tempDir(t), 'report.bin')
  const large = Buffer.alloc(700_000, 'large ')
  writeFileSync(path, large)
  const ids = [
    await outbox.add('bob', { text: 'one' }, { messageId: 'm:1', replyTo: 'other' }),
    await outbox.add('bob', { json: { two: 2 } }),
    await outbox.add('bob', { binary: Uint8Array.of(0, 255, 3) }),
    await outbox.add('bob', { text: large.toString() }),
    await outbox.add('bob', { type: 1, payload: new Uint8Array() }),
    await outbox.add('bob', { file: path }),
    await outbox.add('bob', { file: path, name: 'copy.bin' }, { copy: true }),
    await outbox.add('bob', { file: Readable.from([Buffer.from('str'), Buffer.from('eam')]), name: 's.txt' }),
    await outbox.add('bob', { file: Buffer.alloc(0), name: 'empty' }),
  ]
  const delivered = await run().told(ids.length)
  assert.deepEqual(
    delivered.map(event => event.id),
    ids,
  )
  assert.ok(delivered.every(({ topic }) => topic === 'outbox.delivered'))
  assert.deepEqual(await outbox.list(), [])
  const messages = bob.messages()
  assert.deepEqual(
    messages.map(({ type, bytes, message_id }) => [type, bytes, message_id]),
    [
      ['TEXT', 3, 'm:1'],
      ['JSON', 9, ids[1]],
      ['BINARY', 3, ids[2]],
      ['TEXT', large.length, ids[3]],
      ['TEXT', 0, ids[4]],
    ],
  )
  assert.equal(messages[0]?.reply_to, 'other')
  assert.equal(messages[3]?.data, large.toString())
  const files = [...bob.files()]
  const content = (start: string) => files.find(([name]) => name.startsWith(start))?.[1]
  assert.deepEqual(content('report-'), large)
  assert.deepEqual(content('copy-'), large)
  assert.equal(String(content('s-')), 'stream')
  assert.equal(content('empty-')?.length, 0)
})

test('entries of calls that are not awaited keep the order of the calls', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const bob = await addService(t, net)
  const texts = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(i % 3 === 0 ? 200_000 : 3)}`)
  const running = run()
  await Promise.all(texts.map(text => outbox.add(ADDRESS, { text })))
  await running.told(texts.length)
  assert.deepEqual(
    bob.messages().map(({ data }) => data),
    texts,
  )
})

test('more than are written at once, behind one that is looked up by its id, are all added', async t => {
  const { outbox } = await openOutbox(t)
  const adding = [
    outbox.add('bob', { text: 'looked up' }, { messageId: 'm:1' }),
    ...Array.from({ length: 100 }, (_, i) => outbox.add('bob', { text: `${i}` })),
    outbox.add('eve', { text: 'to another one' }),
  ]
  const ids = await Promise.all(adding)
  assert.deepEqual(
    (await outbox.list()).map(({ id }) => id),
    ids,
  )
})

test('what cannot be sent is refused when it is added, and leaves nothing', async t => {
  const { outbox, dir } = await openOutbox(t, { maxFrameSize: 1000 })
  const file = join(tempDir(t), 'f')
  writeFileSync(file, 'x')
  await outbox.cancel(await outbox.add('bob', { text: 'the folder is made' }))
  const refused: [() => Promise<unknown>, string][] = [
    [() => outbox.add('0:0000.0000', { text: 'a' }), 'ADDRESS_INVALID'],
    [() => outbox.add('', { text: 'a' }), 'ADDRESS_INVALID'],
    [() => outbox.add('bob', { text: 'a'.repeat(1001) }), 'FRAME_TOO_LARGE'],
    [() => outbox.add('bob', { file, name: 'a/b' }), 'FILENAME_UNSAFE'],
    [() => outbox.add('bob', { file: Buffer.from('x'), name: 'n'.repeat(256) }), 'FILENAME_TOO_LONG'],
    [() => outbox.add('bob', { file: Buffer.from('x') }), 'CONFIG_INVALID'],
    [() => outbox.add('bob', { file: `${file}-not` }), 'SOURCE_UNREADABLE'],
    [() => outbox.add('bob', { file: dir }), 'SOURCE_UNREADABLE'],
    [() => outbox.add('bob', { trace: Buffer.from('x') }), 'CONFIG_INVALID'],
    [() => outbox.add('bob', { text: 'a' }, { messageId: 'ä' }), 'MESSAGE_ID_INVALID'],
    [() => outbox.add('bob', { text: 'a' }, { replyTo: '' }), 'MESSAGE_ID_INVALID'],
    [() => outbox.add('bob', { text: 'a' }, { expiresInMs: 0 }), 'CONFIG_INVALID'],
    [() => outbox.add('bob', { text: 'a' }, { expiresInMs: Number.NaN }), 'CONFIG_INVALID'],
  ]
  for (const [add, code] of refused) await assert.rejects(add, errorCode(code))
  assert.deepEqual(
    readdirSync(dir).filter(name => name !== '.tmp'),
    [],
  )
  assert.deepEqual(readdirSync(join(dir, '.tmp')), [])
  await outbox.add('bob', { text: 'after all of them' })
})

test('an id that is there already is refused, also while it is being added', async t => {
  const { outbox } = await openOutbox(t)
  const adding = outbox.add('bob', { text: 'a' }, { messageId: 'same' })
  await assert.rejects(outbox.add('eve', { text: 'b' }, { messageId: 'same' }), errorCode('OUTBOX_DUPLICATE'))
  await adding
  await assert.rejects(outbox.add('bob', { text: 'c' }, { messageId: 'same' }), errorCode('OUTBOX_DUPLICATE'))
  await outbox.cancel('same')
  await outbox.add('bob', { text: 'd' }, { messageId: 'same' })
})

test('an outbox that is full says so, whoever has filled it', async t => {
  const { outbox, dir } = await openOutbox(t, { maxEntries: 2 })
  const other = await Outbox.open({ dir, maxBytes: 1500 })
  await outbox.add('bob', { text: 'a' })
  await other.add('bob', { text: 'b' })
  await assert.rejects(outbox.add('bob', { text: 'c' }), errorCode('OUTBOX_FULL'))
  await assert.rejects(other.add('bob', { text: 'd'.repeat(1500) }), errorCode('OUTBOX_FULL'))
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(500)
    })(),
  )
  await assert.rejects(other.add('bob', { file: endless, name: 'e' }), {
    code: /OUTBOX_FULL|FRAME_TOO_LARGE/,
  })
  const [first] = await outbox.list()
  await other.cancel(first?.id ?? '')
  await outbox.add('bob', { text: 'e' })
  assert.equal((await outbox.list()).length, 2)
})

test('an expired message fails with the reason, and retry gives it its time again', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const id = await outbox.add('bob', { text: 'late' }, { expiresInMs: 1_000 })
  const first = run()
  const [event] = await first.told(1)
  assert.equal(event?.topic, 'outbox.failed')
  assert.ok(event?.topic === 'outbox.failed' && event.code === 'OUTBOX_EXPIRED', JSON.stringify(event))
  const [entry] = await outbox.list()
  assert.equal(entry?.status, 'failed')
  assert.match(
    entry?.lastError?.message ?? '',
    /not delivered in its time; (the last try: nobody there|it was never)/,
  )

  const bob = await addService(t, net)
  // On a busy machine it may be late again.
  for (let told = 2, topic: string | undefined; topic !== 'outbox.delivered'; told++) {
    assert.ok(told < 12, 'it is late each time')
    await outbox.retry(id)
    topic = (await first.told(told))[told - 1]?.topic
  }
  assert.deepEqual(
    bob.messages().map(({ data }) => data),
    ['late'],
  )
})

test('a message for ever does not expire, one that waits is tried at once on retry', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const id = await outbox.add('bob', { text: 'x' }, { expiresInMs: Number.POSITIVE_INFINITY })
  const running = run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  for (;;) {
    const [entry] = await outbox.list()
    if (entry?.status === 'waiting') {
      assert.equal(entry.expiresAt, undefined)
      assert.equal(entry.tries, 1)
      assert.equal(entry.lastError?.code, 'DIAL_FAILED')
      assert.ok((entry.nextTryAt ?? 0) > Date.now() + 1_000_000)
      break
    }
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await addService(t, net)
  await (await Outbox.open({ dir: outbox.dir })).retry(id)
  await running.told(1)
})

test('cancel removes what waits and what has failed, and knows nothing of others', async t => {
  const { outbox } = await openOutbox(t)
  const id = await outbox.add('bob', { text: 'x' })
  assert.deepEqual(await outbox.cancel(id), { maybeStored: false })
  await assert.rejects(outbox.cancel(id), errorCode('OUTBOX_UNKNOWN'))
  await assert.rejects(outbox.retry(newMessageId()), errorCode('OUTBOX_UNKNOWN'))
  assert.deepEqual(await outbox.list(), [])
})

test('order is kept also where the clock has gone back', async t => {
  const { outbox, dir, net, run } = await openOutbox(t)
  await outbox.add('bob', { text: 'first' })
  const now = Date.now()
  t.mock.method(Date, 'now', () => now - 3_600_000)
  await outbox.add('bob', { text: 'second' })
  await (await Outbox.open({ dir })).add('bob', { text: 'third' })
  t.mock.restoreAll()
  const bob = await addService(t, net)
  await run().told(3)
  assert.deepEqual(
    bob.messages().map(({ data }) => data),
    ['first', 'second', 'third'],
  )
})

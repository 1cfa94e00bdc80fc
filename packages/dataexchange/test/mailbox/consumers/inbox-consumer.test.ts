import assert from 'node:assert/strict'
import {
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConsumerOptions } from '#lib/mailbox/consumers/consumer-options.js'
import { InboxConsumer } from '#lib/mailbox/consumers/inbox-consumer.js'
import type { LeasedMessage } from '#lib/mailbox/consumers/leased-message.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const LOST = { code: 'LEASE_LOST', name: 'MailboxError' }

/** An inbox folder that the test writes to, as another program would. */
class TestInbox {
  readonly dir: string
  #count = 0

  constructor(t: TestContext) {
    this.dir = join(tempDir(t), 'inbox')
    mkdirSync(this.dir)
  }

  /** Adds a message and returns its id. */
  put(data: string): string {
    const id = `TEXT-20260101-100000.000-${String(++this.#count).padStart(6, '0')}`
    const record = { type: 'TEXT', from: 'x', data, bytes: data.length, received_at: 'then' }
    this.write(id, JSON.stringify(record))
    return id
  }

  write(id: string, text: string): void {
    writeFileSync(join(this.dir, `${id}.json`), text)
  }

  remove(id: string): void {
    unlinkSync(join(this.dir, `${id}.json`))
  }

  open(options: ConsumerOptions = {}): Promise<InboxConsumer> {
    return InboxConsumer.open({ dir: this.dir, ...options })
  }

  /** Path of the lease file of a message. */
  lease({ id, attempt }: LeasedMessage): string {
    return join(this.dir, '.consumers', 'default', `${id}.${attempt}`)
  }

  endLease(message: LeasedMessage): void {
    const now = Date.now() / 1000
    utimesSync(this.lease(message), now, now)
  }

  /** Names of the state files of a group. */
  states(group = 'default'): string[] {
    return readdirSync(join(this.dir, '.consumers', group)).filter(name => name !== '.tmp')
  }
}

/** Takes all messages that are available now. */
async function drain(consumer: InboxConsumer): Promise<LeasedMessage[]> {
  const messages: LeasedMessage[] = []
  for (let m = await consumer.next(); m !== undefined; m = await consumer.next()) messages.push(m)
  return messages
}

const texts = (messages: readonly { data: string }[]) => messages.map(({ data }) => data)

/** Takes the next message; fails if none comes. */
async function take(consumer: InboxConsumer, waitMs = 10_000): Promise<LeasedMessage> {
  const message = await consumer.next({ waitMs })
  assert.ok(message !== undefined)
  return message
}

test('hands out each message once, oldest first, and leaves it in the inbox', async t => {
  const inbox = new TestInbox(t)
  for (const text of ['a', 'b', 'c']) inbox.put(text)
  const consumer = await inbox.open()
  const messages = await drain(consumer)
  assert.deepEqual(texts(messages), ['a', 'b', 'c'])
  assert.deepEqual(
    messages.map(({ attempt, type, from }) => [attempt, type, from]),
    Array.from({ length: 3 }, () => [1, 'TEXT', 'x']),
  )
  assert.equal(String(messages[0]?.payload()), 'a')
  for (const message of messages) await message.ack()
  assert.deepEqual(await drain(await inbox.open()), [])
  assert.equal(readdirSync(inbox.dir).filter(name => name.endsWith('.json')).length, 3)
})

test('yields messages as the mailbox stores them, and ends with the signal', async t => {
  const inbox = new TestInbox(t)
  const mailbox = await Mailbox.open({ inboxDir: inbox.dir, receivedDir: join(inbox.dir, '..', 'received') })
  const consumer = await inbox.open()
  const stop = new AbortController()
  const seen: string[] = []
  const store = (text: string) =>
    mailbox.storeMessage({ type: 'TEXT', from: 'a', length: text.length }, Buffer.from(text))
  await store('0')
  for await (const message of consumer.messages({ signal: stop.signal })) {
    seen.push(message.data)
    await message.ack()
    if (seen.length === 5) stop.abort()
    else await store(`${seen.length}`)
  }
  assert.deepEqual(seen, ['0', '1', '2', '3', '4'])
  await mailbox.close()
})

test('next resolves with undefined after waitMs, or with the signal', async t => {
  const inbox = new TestInbox(t)
  const consumer = await inbox.open()
  assert.equal(await consumer.next(), undefined)
  assert.equal(await consumer.next({ waitMs: 30 }), undefined)
  const stop = new AbortController()
  const waiting = consumer.next({ waitMs: Number.POSITIVE_INFINITY, signal: stop.signal })
  stop.abort()
  assert.equal(await waiting, undefined)
})

test('a leased message is handed out again only after its lease has expired', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  const [first, second] = [await inbox.open(), await inbox.open()]
  const held = await take(first)
  assert.ok(Math.abs(held.leaseUntil - Date.now() - 60_000) < 30_000)
  assert.equal(await second.next(), undefined)
  assert.equal(await first.next(), undefined)
  inbox.endLease(held)
  const again = await take(second)
  assert.deepEqual([again.id, again.attempt], [held.id, 2])
  await assert.rejects(held.extend(), LOST)
  await assert.rejects(held.nack(), LOST)
  // An acknowledgement counts also after the lease has expired.
  await held.ack()
  await again.ack()
  await again.ack()
  await assert.rejects(again.extend(), LOST)
  assert.deepEqual(inbox.states(), [`${held.id}.done`])
})

test('extend makes a lease longer or shorter', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  const [first, second] = [await inbox.open(), await inbox.open()]
  const held = await take(first)
  await held.extend(3_600_000)
  assert.ok(held.leaseUntil > Date.now() + 3_000_000)
  assert.equal(Math.ceil(statSync(inbox.lease(held)).mtimeMs), held.leaseUntil)
  assert.equal(await second.next(), undefined)
  await held.extend(20)
  assert.equal((await take(second)).attempt, 2)
  await assert.rejects(held.extend(), LOST)
})

test('times out of range are refused', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  const consumer = await inbox.open()
  const held = await take(consumer)
  for (const ms of [-1, 86_400_001, Number.NaN]) {
    for (const use of [() => held.extend(ms), () => held.nack(ms), async () => consumer.nack(held.id, ms)]) {
      await assert.rejects(use(), { code: 'CONFIG_INVALID' })
    }
  }
})

test('a message that is given back is handed out again after its delay, also to a waiting consumer', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  const consumer = await inbox.open()
  const first = await take(consumer)
  const waiting = take(consumer)
  await first.nack()
  const second = await waiting
  assert.equal(second.attempt, 2)
  const at = Date.now()
  await second.nack(200)
  assert.equal(await consumer.next(), undefined)
  const third = await take(consumer)
  assert.ok(Date.now() - at >= 199)
  assert.equal(third.attempt, 3)
})

test('a message that is handed out too often is a dead letter: listed, kept in the inbox, and revived by nack', async t => {
  const inbox = new TestInbox(t)
  inbox.put('poison')
  const consumer = await inbox.open({ maxAttempts: 2 })
  for (let i = 0; i < 2; i++) await (await take(consumer)).nack()
  assert.equal(await consumer.next(), undefined)
  const [dead] = await consumer.dead()
  assert.ok(dead !== undefined && !('damaged' in dead))
  assert.equal(dead.data, 'poison')
  assert.equal(await (await inbox.open()).next(), undefined)

  assert.equal(await consumer.nack(dead.id), true)
  assert.deepEqual(await consumer.dead(), [])
  const again = await take(consumer)
  assert.equal(again.attempt, 1)
  await again.nack()
  await (await take(consumer)).nack()
  assert.equal(await consumer.next(), undefined)
  assert.equal(await consumer.ack(dead.id), true)
  assert.deepEqual(await consumer.dead(), [])
  assert.deepEqual(inbox.states(), [`${dead.id}.done`])
})

test('each group gets all messages', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  for (const group of ['one', 'two']) {
    const consumer = await inbox.open({ group })
    await (await take(consumer)).ack()
    assert.equal(await consumer.next(), undefined)
  }
})

test('ack and nack take the id of a message, whoever has it', async t => {
  const inbox = new TestInbox(t)
  const id = inbox.put('a')
  const consumer = await inbox.open()
  assert.equal(await consumer.nack(id), false)
  await take(consumer)
  const other = await inbox.open()
  assert.equal(await other.nack(id), true)
  // The first consumer sees it within two seconds, without a notification.
  assert.equal((await take(consumer)).attempt, 2)
  assert.equal(await other.ack(id), true)
  assert.equal(await other.ack(id), true)
  assert.equal(await other.nack(id), false)
  for (const unknown of ['TEXT-1', '.hidden']) assert.equal(await other.ack(unknown), false)
  for (const bad of ['../x', '', 'a\0'])
    await assert.rejects(async () => other.ack(bad), { code: 'CONFIG_INVALID' })
})

test('with remove, an acknowledgement removes the message from the inbox', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  const consumer = await inbox.open({ remove: true })
  const message = await take(consumer)
  await message.ack()
  await message.ack()
  assert.deepEqual(readdirSync(inbox.dir), ['.consumers'])
  assert.deepEqual(inbox.states(), [])
})

test('the state of messages that were removed from the inbox is removed', async t => {
  const inbox = new TestInbox(t)
  const [acked, leased, fresh, kept] = ['a', 'b', 'c', 'd'].map(text => inbox.put(text))
  const consumer = await inbox.open()
  await (await take(consumer)).ack()
  await take(consumer)
  for (const id of [acked, leased, fresh]) inbox.remove(id ?? '')
  assert.equal((await take(consumer)).id, kept)
  const later = await inbox.open()
  assert.equal(await later.next(), undefined)
  assert.deepEqual(inbox.states(), [`${kept}.1`])
})

test('files that are not messages are ignored; a damaged message is reported and does not block others', async t => {
  const inbox = new TestInbox(t)
  mkdirSync(join(inbox.dir, 'folder.json'))
  symlinkSync('/etc/hostname', join(inbox.dir, 'link.json'))
  for (const name of ['.hidden.json', 'note.txt']) writeFileSync(join(inbox.dir, name), '{}')
  inbox.write('TEXT-1', '{"type":')
  inbox.put('good')
  const damaged: string[] = []
  const told = new AbortController()
  const onDamaged = ({ id }: { id: string }) => {
    damaged.push(id)
    told.abort()
  }
  const consumer = await inbox.open({ maxAttempts: 2, onDamaged })
  assert.equal((await take(consumer)).data, 'good')
  // It is read once more, a second later.
  assert.equal(await consumer.next({ waitMs: 30_000, signal: told.signal }), undefined)
  assert.deepEqual(damaged, ['TEXT-1'])
  assert.deepEqual(
    (await consumer.dead()).map(message => [message.id, 'damaged' in message]),
    [['TEXT-1', true]],
  )
  assert.equal(await consumer.next(), undefined)
  assert.equal(damaged.length, 1)
})

test('a message that is still being written is handed out when it is complete', async t => {
  const inbox = new TestInbox(t)
  const text = JSON.stringify({ type: 'TEXT', from: 'x', data: 'late', bytes: 4, received_at: 'then' })
  inbox.write('TEXT-1', text.slice(0, 20))
  const consumer = await inbox.open()
  const waiting = take(consumer)
  assert.equal(await Promise.race([waiting, delay(100, 'pending')]), 'pending')
  inbox.write('TEXT-1', text)
  assert.equal((await waiting).data, 'late')
})

test('goes on when the inbox is removed and created again', async t => {
  const inbox = new TestInbox(t)
  inbox.put('a')
  const consumer = await inbox.open()
  await (await take(consumer)).ack()
  rmSync(inbox.dir, { recursive: true })
  const waiting = take(consumer)
  mkdirSync(inbox.dir)
  inbox.put('b')
  const message = await waiting
  assert.equal(message.data, 'b')
  await message.ack()
})

test('a lease that ends in a year, because the clock was set back, counts as expired', async t => {
  const inbox = new TestInbox(t)
  const id = inbox.put('a')
  const consumer = await inbox.open()
  await take(consumer)
  const at = Date.now() / 1000 + 365 * 86_400
  utimesSync(join(inbox.dir, '.consumers', 'default', `${id}.1`), at, at)
  assert.equal((await take(await inbox.open())).attempt, 2)
})

test('open removes temporary files of dead processes', async t => {
  const inbox = new TestInbox(t)
  await inbox.open()
  const temporaries = join(inbox.dir, '.consumers', 'default', '.tmp')
  writeFileSync(join(temporaries, '99999999-0123456789abcdef-1.tmp'), '')
  await inbox.open()
  assert.deepEqual(readdirSync(temporaries), [])
})

test('a message with .done is acknowledged, whatever else a crash left', async t => {
  const inbox = new TestInbox(t)
  const id = inbox.put('a')
  const consumer = await inbox.open()
  await (await take(consumer)).ack()
  // A process was killed between the two steps of an acknowledgement, or of taking a lease.
  for (const name of [`${id}.1`, `${id}.dead`]) {
    writeFileSync(join(inbox.dir, '.consumers', 'default', name), '')
  }
  assert.equal(await (await inbox.open()).next(), undefined)
})

test('invalid options are refused', async t => {
  const inbox = new TestInbox(t)
  for (const options of [
    { group: '' },
    { group: '..' },
    { group: 'a/b' },
    { group: 'x'.repeat(65) },
    { leaseMs: 0 },
    { leaseMs: 86_400_001 },
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
  ]) {
    await assert.rejects(inbox.open(options), { code: 'CONFIG_INVALID' }, JSON.stringify(options))
  }
  writeFileSync(join(inbox.dir, 'file'), '')
  await assert.rejects(InboxConsumer.open({ dir: join(inbox.dir, 'file') }), { code: 'STORE_FAILED' })
})

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
import { type ConsumerOptions, InboxConsumer } from '#lib/mailbox/consumers/inbox-consumer.js'
import type { LeasedMessage } from '#lib/mailbox/consumers/leased-message.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const LOST = { code: 'LEASE_LOST', name: 'MailboxError' }

/** An inbox folder, and how to put messages into it as another program does. */
class Box {
  readonly dir: string
  #count = 0

  constructor(t: TestContext) {
    this.dir = join(tempDir(t), 'inbox')
    mkdirSync(this.dir)
  }

  /** Returns the message's id. */
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

  /** The path of the lease of a message. */
  lease({ id, attempt }: LeasedMessage): string {
    return join(this.dir, '.consumers', 'default', `${id}.${attempt}`)
  }

  endLease(message: LeasedMessage): void {
    const now = Date.now() / 1000
    utimesSync(this.lease(message), now, now)
  }

  /** What the group has written down. */
  states(group = 'default'): string[] {
    return readdirSync(join(this.dir, '.consumers', group)).filter(name => name !== '.tmp')
  }
}

/** All that can be had now. */
async function drain(consumer: InboxConsumer): Promise<LeasedMessage[]> {
  const messages: LeasedMessage[] = []
  for (let m = await consumer.next(); m !== undefined; m = await consumer.next()) messages.push(m)
  return messages
}

const texts = (messages: readonly { data: string }[]) => messages.map(({ data }) => data)

/** The next message, which must come. */
async function take(consumer: InboxConsumer, waitMs = 10_000): Promise<LeasedMessage> {
  const message = await consumer.next({ waitMs })
  assert.ok(message !== undefined)
  return message
}

test('messages come once, the oldest first, and stay in the inbox', async t => {
  const box = new Box(t)
  for (const text of ['a', 'b', 'c']) box.put(text)
  const consumer = await box.open()
  const messages = await drain(consumer)
  assert.deepEqual(texts(messages), ['a', 'b', 'c'])
  assert.deepEqual(
    messages.map(({ attempt, type, from }) => [attempt, type, from]),
    Array.from({ length: 3 }, () => [1, 'TEXT', 'x']),
  )
  assert.equal(String(messages[0]?.payload()), 'a')
  for (const message of messages) await message.ack()
  assert.deepEqual(await drain(await box.open()), [])
  assert.equal(readdirSync(box.dir).filter(name => name.endsWith('.json')).length, 3)
})

test('a waiting consumer gets what the mailbox stores, and ends when it is told to', async t => {
  const box = new Box(t)
  const mailbox = await Mailbox.open({ inboxDir: box.dir, receivedDir: join(box.dir, '..', 'received') })
  const consumer = await box.open()
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

test('a wait ends in time, or with the signal', async t => {
  const box = new Box(t)
  const consumer = await box.open()
  assert.equal(await consumer.next(), undefined)
  assert.equal(await consumer.next({ waitMs: 30 }), undefined)
  const stop = new AbortController()
  const waiting = consumer.next({ waitMs: Number.POSITIVE_INFINITY, signal: stop.signal })
  stop.abort()
  assert.equal(await waiting, undefined)
})

test('a leased message is nobody else’s until its lease ends; then it comes again', async t => {
  const box = new Box(t)
  box.put('a')
  const [first, second] = [await box.open(), await box.open()]
  const held = await take(first)
  assert.ok(Math.abs(held.leaseUntil - Date.now() - 60_000) < 30_000)
  assert.equal(await second.next(), undefined)
  assert.equal(await first.next(), undefined)
  box.endLease(held)
  const again = await take(second)
  assert.deepEqual([again.id, again.attempt], [held.id, 2])
  await assert.rejects(held.extend(), LOST)
  await assert.rejects(held.nack(), LOST)
  // What has been handled has been handled, late as it is.
  await held.ack()
  await again.ack()
  await again.ack()
  await assert.rejects(again.extend(), LOST)
  assert.deepEqual(box.states(), [`${held.id}.done`])
})

test('a lease can be made longer, and shorter', async t => {
  const box = new Box(t)
  box.put('a')
  const [first, second] = [await box.open(), await box.open()]
  const held = await take(first)
  await held.extend(3_600_000)
  assert.ok(held.leaseUntil > Date.now() + 3_000_000)
  assert.equal(Math.ceil(statSync(box.lease(held)).mtimeMs), held.leaseUntil)
  assert.equal(await second.next(), undefined)
  await held.extend(20)
  assert.equal((await take(second)).attempt, 2)
  await assert.rejects(held.extend(), LOST)
})

test('a time that cannot be is refused', async t => {
  const box = new Box(t)
  box.put('a')
  const consumer = await box.open()
  const held = await take(consumer)
  for (const ms of [-1, 86_400_001, Number.NaN]) {
    for (const use of [() => held.extend(ms), () => held.nack(ms), async () => consumer.nack(held.id, ms)]) {
      await assert.rejects(use(), { code: 'CONFIG_INVALID' })
    }
  }
})

test('what is given back comes again, after its delay, to a consumer that waits', async t => {
  const box = new Box(t)
  box.put('a')
  const consumer = await box.open()
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

test('a message that is handed out too often is dead: listed, in the inbox, and to be had again', async t => {
  const box = new Box(t)
  box.put('poison')
  const consumer = await box.open({ maxAttempts: 2 })
  for (let i = 0; i < 2; i++) await (await take(consumer)).nack()
  assert.equal(await consumer.next(), undefined)
  const [dead] = await consumer.dead()
  assert.ok(dead !== undefined && !('damaged' in dead))
  assert.equal(dead.data, 'poison')
  assert.equal(await (await box.open()).next(), undefined)

  assert.equal(await consumer.nack(dead.id), true)
  assert.deepEqual(await consumer.dead(), [])
  const again = await take(consumer)
  assert.equal(again.attempt, 1)
  await again.nack()
  await (await take(consumer)).nack()
  assert.equal(await consumer.next(), undefined)
  assert.equal(await consumer.ack(dead.id), true)
  assert.deepEqual(await consumer.dead(), [])
  assert.deepEqual(box.states(), [`${dead.id}.done`])
})

test('each group gets all messages', async t => {
  const box = new Box(t)
  box.put('a')
  for (const group of ['one', 'two']) {
    const consumer = await box.open({ group })
    await (await take(consumer)).ack()
    assert.equal(await consumer.next(), undefined)
  }
})

test('messages are acknowledged and given back by their id', async t => {
  const box = new Box(t)
  const id = box.put('a')
  const consumer = await box.open()
  assert.equal(await consumer.nack(id), false)
  await take(consumer)
  const other = await box.open()
  assert.equal(await other.nack(id), true)
  // The first one notices, though it was not told.
  assert.equal((await take(consumer)).attempt, 2)
  assert.equal(await other.ack(id), true)
  assert.equal(await other.ack(id), true)
  assert.equal(await other.nack(id), false)
  for (const unknown of ['TEXT-1', '.hidden']) assert.equal(await other.ack(unknown), false)
  for (const bad of ['../x', '', 'a\0'])
    await assert.rejects(async () => other.ack(bad), { code: 'CONFIG_INVALID' })
})

test('with remove, an acknowledged message leaves the inbox', async t => {
  const box = new Box(t)
  box.put('a')
  const consumer = await box.open({ remove: true })
  const message = await take(consumer)
  await message.ack()
  await message.ack()
  assert.deepEqual(readdirSync(box.dir), ['.consumers'])
  assert.deepEqual(box.states(), [])
})

test('what is removed from the inbox is forgotten', async t => {
  const box = new Box(t)
  const [acked, leased, fresh, kept] = ['a', 'b', 'c', 'd'].map(text => box.put(text))
  const consumer = await box.open()
  await (await take(consumer)).ack()
  await take(consumer)
  for (const id of [acked, leased, fresh]) box.remove(id ?? '')
  assert.equal((await take(consumer)).id, kept)
  const later = await box.open()
  assert.equal(await later.next(), undefined)
  assert.deepEqual(box.states(), [`${kept}.1`])
})

test('what is no message is left alone; a damaged one is told of, and holds nobody up', async t => {
  const box = new Box(t)
  mkdirSync(join(box.dir, 'folder.json'))
  symlinkSync('/etc/hostname', join(box.dir, 'link.json'))
  for (const name of ['.hidden.json', 'note.txt']) writeFileSync(join(box.dir, name), '{}')
  box.write('TEXT-1', '{"type":')
  box.put('good')
  const damaged: string[] = []
  const told = new AbortController()
  const onDamaged = ({ id }: { id: string }) => {
    damaged.push(id)
    told.abort()
  }
  const consumer = await box.open({ maxAttempts: 2, onDamaged })
  assert.equal((await take(consumer)).data, 'good')
  // It is looked at once more, a second later.
  assert.equal(await consumer.next({ waitMs: 30_000, signal: told.signal }), undefined)
  assert.deepEqual(damaged, ['TEXT-1'])
  assert.deepEqual(
    (await consumer.dead()).map(message => [message.id, 'damaged' in message]),
    [['TEXT-1', true]],
  )
  assert.equal(await consumer.next(), undefined)
  assert.equal(damaged.length, 1)
})

test('a message that is still being written is had when it is whole', async t => {
  const box = new Box(t)
  const text = JSON.stringify({ type: 'TEXT', from: 'x', data: 'late', bytes: 4, received_at: 'then' })
  box.write('TEXT-1', text.slice(0, 20))
  const consumer = await box.open()
  const waiting = take(consumer)
  assert.equal(await Promise.race([waiting, delay(100, 'nothing yet')]), 'nothing yet')
  box.write('TEXT-1', text)
  assert.equal((await waiting).data, 'late')
})

test('a folder that is removed and made again is gone on with', async t => {
  const box = new Box(t)
  box.put('a')
  const consumer = await box.open()
  await (await take(consumer)).ack()
  rmSync(box.dir, { recursive: true })
  const waiting = take(consumer)
  mkdirSync(box.dir)
  box.put('b')
  const message = await waiting
  assert.equal(message.data, 'b')
  await message.ack()
})

test('a lease of a clock that was set back by years does not hold its message', async t => {
  const box = new Box(t)
  const id = box.put('a')
  const consumer = await box.open()
  await take(consumer)
  const at = Date.now() / 1000 + 365 * 86_400
  utimesSync(join(box.dir, '.consumers', 'default', `${id}.1`), at, at)
  assert.equal((await take(await box.open())).attempt, 2)
})

test('what a consumer that died was making is swept', async t => {
  const box = new Box(t)
  await box.open()
  const temporaries = join(box.dir, '.consumers', 'default', '.tmp')
  writeFileSync(join(temporaries, '99999999-0123456789abcdef-1.tmp'), '')
  await box.open()
  assert.deepEqual(readdirSync(temporaries), [])
})

test('an acknowledgement stands, whatever a crash left beside it', async t => {
  const box = new Box(t)
  const id = box.put('a')
  const consumer = await box.open()
  await (await take(consumer)).ack()
  // Of one that was killed between the two steps of an ack, or of a claim.
  for (const name of [`${id}.1`, `${id}.dead`]) {
    writeFileSync(join(box.dir, '.consumers', 'default', name), '')
  }
  assert.equal(await (await box.open()).next(), undefined)
})

test('options that cannot be are refused', async t => {
  const box = new Box(t)
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
    await assert.rejects(box.open(options), { code: 'CONFIG_INVALID' }, JSON.stringify(options))
  }
  writeFileSync(join(box.dir, 'file'), '')
  await assert.rejects(InboxConsumer.open({ dir: join(box.dir, 'file') }), { code: 'STORE_FAILED' })
})

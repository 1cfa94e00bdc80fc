import assert from 'node:assert/strict'
import { appendFile, readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folderLayout } from '#lib/disk/layout.js'
import { InboxConsumer } from '#lib/mailbox/consumers/inbox-consumer.js'
import { clearMessages } from '#lib/mailbox/inbox/read.js'
import { addTombstones, readTombstones } from '#lib/mailbox/journal/tombstones.js'
import type { Mailbox, StoredMessage } from '#lib/mailbox/mailbox.js'
import { failHandles, replaceFs } from '../../helpers/faulty-fs.js'
import {
  ALIVE,
  cutPower,
  entry,
  loseStoredIds,
  openMailbox,
  plantSegment,
} from '../../helpers/planted-journal.js'
import { namesIn, tempDir, tempMailbox } from '../../helpers/temp-mailbox.js'

function storeOne(mailbox: Mailbox, text: string): Promise<StoredMessage> {
  return mailbox.storeMessage(
    { type: 'TEXT', from: 'x', length: text.length, messageId: `id of ${text}` },
    Buffer.from(text),
  )
}

async function storeTwo(t: TestContext): Promise<{ mailbox: Mailbox; names: string[] }> {
  const mailbox = await tempMailbox(t)
  for (const text of ['a', 'b']) await storeOne(mailbox, text)
  return { mailbox, names: await namesIn(mailbox.inboxDir) }
}

const withoutConsumers = async (dir: string): Promise<string[]> =>
  (await namesIn(dir)).filter(name => name !== '.consumers')

test('a message removed by its acknowledgement does not come back after a power cut; one removed by another program may', async t => {
  const { mailbox, names } = await storeTwo(t)
  const consumer = await InboxConsumer.open({ dir: mailbox.inboxDir, remove: true })
  const message = await consumer.next()
  await message?.ack()
  assert.equal(`${message?.id}.json`, names[0])
  await unlink(join(mailbox.inboxDir, names[1] ?? ''))
  const inboxDir = await cutPower(t, mailbox)
  assert.deepEqual(await withoutConsumers(inboxDir), [])
  await openMailbox(t, inboxDir)
  assert.deepEqual(await withoutConsumers(inboxDir), [names[1]])
})

test('a message that is gone does not come back once a consumer has dropped its acknowledgement', async t => {
  const { mailbox, names } = await storeTwo(t)
  const first = await InboxConsumer.open({ dir: mailbox.inboxDir })
  await (await first.next())?.ack()
  await unlink(join(mailbox.inboxDir, names[0] ?? ''))
  // Another consumer sweeps on its first call.
  const second = await InboxConsumer.open({ dir: mailbox.inboxDir })
  await second.next()
  const inboxDir = await cutPower(t, mailbox)
  await openMailbox(t, inboxDir)
  assert.deepEqual(await withoutConsumers(inboxDir), [names[1]])
})

test('cleared messages do not come back', async t => {
  const { mailbox } = await storeTwo(t)
  assert.deepEqual(await clearMessages(mailbox.inboxDir), { cleared: 2, remaining: 0 })
  const inboxDir = await cutPower(t, mailbox)
  await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), [])
})

test('a message acknowledged while recovery writes it again is removed; its id is remembered', async t => {
  const { mailbox, names } = await storeTwo(t)
  const inboxDir = await cutPower(t, mailbox)
  await loseStoredIds(inboxDir)
  const consumer = await InboxConsumer.open({ dir: inboxDir, remove: true })
  const message = await consumer.next()
  let isDue = true
  replaceFs(t, 'lstat', real => async (path, ...rest) => {
    // Recovery has read the tombstones, and restores this message next.
    if (isDue && path === join(inboxDir, names[0] ?? '')) {
      isDue = false
      await message?.ack()
    }
    return real(path, ...rest)
  })
  const again = await openMailbox(t, inboxDir)
  assert.equal(isDue, false)
  assert.deepEqual(await withoutConsumers(inboxDir), [names[1]])
  assert.equal((await storeOne(again, 'a')).duplicate, true)
})

for (const [how, remove] of [
  ['acknowledged', async (dir: string) => (await InboxConsumer.open({ dir, remove: true })).ack('a')],
  ['cleared', (dir: string) => clearMessages(dir)],
] as const) {
  test(`a message written again between its removal and its tombstone is removed, too: ${how}`, async t => {
    const dir = await tempDir(t)
    const { content } = entry('a.json')
    await plantSegment(dir, [entry('a.json')])
    await writeFile(join(dir, 'a.json'), content)
    let found: string[] | undefined
    replaceFs(t, 'open', real => async (path, flags, ...rest) => {
      if (found === undefined && flags === 'a' && String(path).endsWith('.removed')) {
        found = []
        await openMailbox(t, dir)
        found = await withoutConsumers(dir)
      }
      return real(path, flags, ...rest)
    })
    await remove(dir)
    assert.deepEqual(found, ['a.json'])
    assert.deepEqual(await withoutConsumers(dir), [])
  })
}

test('a consumer that starts before the service keeps its state of messages that a power cut has taken', async t => {
  const { mailbox, names } = await storeTwo(t)
  const before = await InboxConsumer.open({ dir: mailbox.inboxDir, leaseMs: 1 })
  const [leased, acknowledged] = [await before.next(), await before.next()]
  await acknowledged?.ack()
  const dir = await cutPower(t, mailbox)
  for (const name of names) await unlink(join(dir, name))
  const states = () => readdir(join(dir, '.consumers', 'default'))
  const known = await states()

  const first = await InboxConsumer.open({ dir })
  assert.equal(await first.next(), undefined)
  assert.deepEqual(await states(), known)
  await openMailbox(t, dir)
  assert.deepEqual(await withoutConsumers(dir), names)
  const again = await first.next()
  assert.deepEqual([again?.id, again?.attempt], [leased?.id, 2])
  assert.equal(await first.next(), undefined)

  await unlink(join(dir, `${acknowledged?.id}.json`))
  await (await InboxConsumer.open({ dir })).next()
  assert.deepEqual(
    (await states()).filter(name => name.startsWith(`${acknowledged?.id}.`)),
    [],
  )
})

test('an acknowledgement without its tombstone is rejected', async t => {
  const { mailbox } = await storeTwo(t)
  const consumer = await InboxConsumer.open({ dir: mailbox.inboxDir, remove: true })
  const message = await consumer.next()
  await failHandles(t, 'datasync', 1)
  await assert.rejects(message?.ack() ?? Promise.resolve(), { code: 'STORE_FAILED' })
  assert.equal(await consumer.ack(message?.id ?? ''), true)
})

test('tombstones are added beside every segment, also of other processes; without segments nothing is created', async t => {
  const dir = await tempDir(t)
  await addTombstones(folderLayout(dir), ['a.json'])
  assert.deepEqual(await readdir(dir), [])
  const paths = [
    await plantSegment(dir, [entry('a.json')]),
    await plantSegment(dir, [entry('b.json')], { writer: ALIVE, beforeBoot: false }),
  ]
  await addTombstones(folderLayout(dir), [])
  assert.equal((await readdir(join(dir, '.journal'))).length, 2)
  await addTombstones(folderLayout(dir), ['a.json', 'with "quotes"\n and more'])
  await addTombstones(folderLayout(dir), ['c.json'])
  for (const path of paths)
    assert.deepEqual(await readTombstones(path), ['a.json', 'with "quotes"\n and more', 'c.json'])
})

test('a torn line does not affect other lines; tombstones without a segment are swept', async t => {
  const dir = await tempDir(t)
  const path = await plantSegment(dir, [entry('a.json'), entry('b.json')])
  assert.deepEqual(await readTombstones(path), [])
  await appendFile(path.replace(/log$/, 'removed'), '"torn')
  await addTombstones(folderLayout(dir), ['a.json'])
  await appendFile(path.replace(/log$/, 'removed'), '"b.jso')
  assert.deepEqual(await readTombstones(path), ['a.json'])
  await writeFile(join(dir, '.journal', '2147483646-0123456789abcdef-7.removed'), '"b.json"\n')
  const mailbox = await openMailbox(t, dir)
  assert.deepEqual(await namesIn(dir), ['b.json'])
  await mailbox.close()
  assert.deepEqual(await readdir(join(dir, '.journal')), [])
})

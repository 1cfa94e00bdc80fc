import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { link, readdir, readFile, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { DurableFolder } from '#lib/disk/durable-folder.js'
import { folderLayout } from '#lib/disk/layout.js'
import { recordPath } from '#lib/mailbox/layout.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { ReceivedQuota } from '#lib/mailbox/received/quota.js'
import { clearReceived, listReceived, statReceived } from '#lib/mailbox/received/read.js'
import { Received } from '#lib/mailbox/received/received.js'
import { StoreSlots } from '#lib/mailbox/store-slots.js'
import { inPieces, namesIn, tempDir, tempMailbox, temporariesIn } from '../../helpers/temp-mailbox.js'

const FROM = '0:0000.0000.0001'

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function recordsIn(dir: string): Promise<string[]> {
  return readdir(join(dir, '.records'))
}

test('a stored file has a record of where it came from', async t => {
  const mailbox = await tempMailbox(t)
  const bytes = Buffer.alloc(300_000, 'file ')
  const file = { filename: 'a\n‮b.txt', length: bytes.length, from: FROM }
  const ids = { messageId: 'm1', replyTo: 'm0' }
  const direct = await mailbox.storeFile(file, bytes)
  const streamed = await mailbox.storeFile({ ...file, ...ids, type: 'FILESTREAM' }, inPieces(bytes, 4_096))
  const found = await statReceived(mailbox.receivedDir, direct.name)
  const { from, originalName, sha256: hash, type, receivedAt = '', messageId, damagedRecord } = found ?? {}
  assert.deepEqual(
    [from, originalName, hash, type, messageId, damagedRecord],
    [FROM, file.filename, sha256(bytes), 'FILE', undefined, undefined],
  )
  assert.ok(Math.abs(Date.parse(receivedAt) - Date.now()) < 60_000)
  const { files } = await listReceived(mailbox.receivedDir)
  const other = files.find(({ name }) => name === streamed.name)
  assert.deepEqual(
    [other?.sha256, other?.type, other?.messageId, other?.replyTo],
    [sha256(bytes), 'FILESTREAM', 'm1', 'm0'],
  )
  assert.equal((await stat(recordPath(mailbox.receivedDir, direct.name))).mode & 0o777, 0o600)
  assert.deepEqual(await temporariesIn(mailbox.receivedDir), [])
})

test('an empty file from an unknown sender has a record, too', async t => {
  const mailbox = await tempMailbox(t)
  const { name } = await mailbox.storeFile({ filename: '', length: 0 }, Buffer.alloc(0))
  const found = await statReceived(mailbox.receivedDir, name)
  assert.deepEqual([found?.from, found?.originalName, found?.size], [undefined, '', 0])
})

test('a file with the longest possible name has a record', async t => {
  const mailbox = await tempMailbox(t)
  const filename = `${'n'.repeat(250)}.txt`
  const { name } = await mailbox.storeFile({ filename, length: 1, from: FROM }, Buffer.from('x'))
  assert.equal((await statReceived(mailbox.receivedDir, name))?.originalName, filename)
})

test('a complete file from a hidden subfolder is published with its record', async t => {
  const layout = folderLayout(join(await tempDir(t), 'received'))
  const folder = new DurableFolder(layout, true)
  await folder.make()
  const received = new Received(folder, {
    quota: new ReceivedQuota(folder, { maxFiles: 100, maxBytes: 1_000 }),
    slots: new StoreSlots(),
  })
  await received.load()
  const path = join(layout.temporaries, 'whole')
  await writeFile(path, 'content')
  const { mtimeMs: modifiedMs } = await stat(path)
  const finished = { path, discard: () => unlink(path), sha256: sha256(Buffer.from('content')), modifiedMs }
  const input = { filename: 'f.txt', length: 7, from: FROM, type: 'FILESTREAM' }
  const { name } = await received.publish(input, finished)
  const found = await statReceived(layout.dir, name)
  assert.deepEqual([found?.from, found?.type, found?.sha256], [FROM, 'FILESTREAM', finished.sha256])
  assert.deepEqual(await temporariesIn(layout.dir), [])
  await assert.rejects(received.publish(input, finished), { code: 'ENOENT' })
  assert.deepEqual([await namesIn(layout.dir), await recordsIn(layout.dir)], [[name], [`${name}.json`]])
  assert.deepEqual(await temporariesIn(layout.dir), [])
})

test('a name is not used if it is taken, or if its record exists', async t => {
  const layout = folderLayout(join(await tempDir(t), 'received'))
  const folder = new DurableFolder(layout, true)
  await folder.make()
  const names = ['a', 'b', 'c']
  const choice = {
    get name() {
      return names[0] ?? ''
    },
    next: () => {
      names.shift()
    },
  }
  const taken: string[] = []
  const withdrawn: string[] = []
  const sidecar = {
    publish: async (name: string) => {
      taken.push(name)
      return name !== 'a'
    },
    withdraw: async (name: string) => {
      withdrawn.push(name)
    },
    sync: async () => {},
    discard: async () => {},
  }
  await writeFile(join(layout.dir, 'b'), 'of another program')
  const fill = () => Promise.resolve()
  await folder.write(choice, { fill, repeatable: true, sidecar: async () => sidecar })
  assert.deepEqual([taken, withdrawn], [['a', 'b', 'c'], ['b']])
  assert.equal(await readFile(join(layout.dir, 'b'), 'utf8'), 'of another program')
})

test('records without a file are swept at the start, except those of files that are not visible yet', async t => {
  const mailbox = await tempMailbox(t)
  const { inboxDir, receivedDir } = mailbox
  const store = () => mailbox.storeFile({ filename: 'f', length: 1, from: FROM }, Buffer.from('x'))
  const [kept, gone, coming] = [await store(), await store(), await store()]
  for (const { path } of [gone, coming]) await unlink(path)
  const record = recordPath(receivedDir, coming.name)
  await link(record, join(receivedDir, '.tmp', `${process.ppid}-0123456789abcdef-1.tmp`))
  await writeFile(join(receivedDir, '.records', 'note.txt'), '')
  const again = await Mailbox.open({ inboxDir, receivedDir })
  assert.deepEqual(
    (await recordsIn(receivedDir)).sort(),
    [`${kept.name}.json`, `${coming.name}.json`, 'note.txt'].sort(),
  )
  await again.close()
})

test('a damaged record, or the record of another file, is reported as damaged', async t => {
  const mailbox = await tempMailbox(t)
  const { receivedDir } = mailbox
  const { name, path } = await mailbox.storeFile({ filename: 'f', length: 1, from: FROM }, Buffer.from('x'))
  const record = recordPath(receivedDir, name)
  const sound = await readFile(record, 'utf8')
  for (const json of ['', '{"from":', '[]', 'null', '{}', sound.replace('"bytes":1', '"bytes":2')]) {
    await writeFile(record, json)
    const found = await statReceived(receivedDir, name)
    assert.match(found?.damagedRecord ?? '', /./, json)
    assert.equal(found?.from, undefined)
  }
  await writeFile(record, sound)
  assert.equal((await statReceived(receivedDir, name))?.from, FROM)
  await utimes(path, 1, 1)
  assert.match((await statReceived(receivedDir, name))?.damagedRecord ?? '', /has changed/)
})

test('files of other programs have no record, whatever their names', async t => {
  const mailbox = await tempMailbox(t)
  const name = 'x'.repeat(255)
  await writeFile(join(mailbox.receivedDir, name), 'x')
  const found = await statReceived(mailbox.receivedDir, name)
  assert.deepEqual([found?.size, found?.from, found?.damagedRecord], [1, undefined, undefined])
  assert.deepEqual(await clearReceived(mailbox.receivedDir), { cleared: 1, remaining: 0 })
})

test('clearReceived removes the records, too', async t => {
  const mailbox = await tempMailbox(t)
  const store = () => mailbox.storeFile({ filename: 'f', length: 1, from: FROM }, Buffer.from('x'))
  const [old, young] = [await store(), await store()]
  await utimes(old.path, 1, 1)
  await clearReceived(mailbox.receivedDir, Date.now() - 60_000)
  assert.deepEqual(await recordsIn(mailbox.receivedDir), [`${young.name}.json`])
})

test('a folder of records that was removed is created again', async t => {
  const mailbox = await tempMailbox(t)
  await rm(join(mailbox.receivedDir, '.records'), { recursive: true })
  const { name } = await mailbox.storeFile(
    { filename: 'f', length: 3, from: FROM },
    inPieces(Buffer.alloc(3), 1),
  )
  assert.equal((await statReceived(mailbox.receivedDir, name))?.from, FROM)
})

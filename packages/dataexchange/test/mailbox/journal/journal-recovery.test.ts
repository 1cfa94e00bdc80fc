import assert from 'node:assert/strict'
import {
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { bootId } from '#lib/disk/boot-id.js'
import { folderLayout } from '#lib/disk/layout.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import { failedPath } from '#lib/mailbox/journal/journal-folder.js'
import { decodeSegment } from '#lib/mailbox/journal/journal-format.js'
import { addTombstones, readTombstones } from '#lib/mailbox/journal/tombstones.js'
import type { Mailbox } from '#lib/mailbox/mailbox.js'
import { pretendReboot } from '../../../../../test/helpers/other-boot.js'
import { failure, replaceFs, replaceSyncFs } from '../../helpers/faulty-fs.js'
import {
  ALIVE,
  cutPower,
  DEAD,
  entry,
  loseStoredIds,
  openMailbox,
  plantSegment,
} from '../../helpers/planted-journal.js'
import { namesIn, tempDir, tempMailbox, temporariesIn } from '../../helpers/temp-mailbox.js'

async function tempInbox(t: TestContext): Promise<string> {
  const dir = join(await tempDir(t), 'inbox')
  await mkdir(dir)
  return dir
}

function store(mailbox: Mailbox, text: string, messageId?: string) {
  const message = { type: 'TEXT', from: 'a', length: text.length, ...(messageId && { messageId }) }
  return mailbox.storeMessage(message, Buffer.from(text))
}

/** The sorted texts of all messages. */
async function textsIn(inboxDir: string): Promise<string[]> {
  const names = await namesIn(inboxDir)
  const texts = names.map(async name => JSON.parse(await readFile(join(inboxDir, name), 'utf8')).data)
  return (await Promise.all(texts)).sort()
}

/** Opens a mailbox whose checkpoints fail until the returned function is called. */
async function openWithoutCheckpoints(t: TestContext, inboxDir: string): Promise<[Mailbox, () => void]> {
  let broken = true
  replaceFs(t, 'open', real => (path, flags, ...rest) => {
    // Only checkpoints open messages with numeric flags.
    if (broken && typeof flags === 'number') return Promise.reject(failure('EIO'))
    return real(path, flags, ...rest)
  })
  const allowCheckpoints = () => {
    broken = false
  }
  return [await openMailbox(t, inboxDir), allowCheckpoints]
}

const journalOf = (inboxDir: string): Promise<string[]> => readdir(join(inboxDir, '.journal')).catch(() => [])

test('after a power cut, missing messages that got an ACK are restored', async t => {
  const mailbox = await tempMailbox(t)
  await Promise.all(['a', 'b', 'c'].map(text => store(mailbox, text)))
  const inboxDir = await cutPower(t, mailbox)
  const before = await namesIn(inboxDir)
  for (const name of before) await unlink(join(inboxDir, name))
  const again = await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), before)
  assert.deepEqual(await textsIn(inboxDir), ['a', 'b', 'c'])
  for (const name of before) {
    assert.deepEqual(await readFile(join(inboxDir, name)), await readFile(join(mailbox.inboxDir, name)))
    assert.equal((await stat(join(inboxDir, name))).mode & 0o777, 0o600)
  }
  assert.deepEqual(await temporariesIn(inboxDir), [])
  await again.close()
  assert.deepEqual(await journalOf(inboxDir), [])
})

for (const [what, tear] of [
  ['nothing left', () => Buffer.alloc(0)],
  ['only a beginning left', (whole: Buffer) => whole.subarray(0, 20)],
  ['only zeros', (whole: Buffer) => Buffer.alloc(whole.length)],
  ['zeros after a beginning', (whole: Buffer) => Buffer.concat([whole.subarray(0, 20), Buffer.alloc(9)])],
  ['zeros before an end', (whole: Buffer) => Buffer.concat([Buffer.alloc(20), whole.subarray(20)])],
] as const) {
  test(`after a power cut, a torn message with ${what} is restored`, async t => {
    const mailbox = await tempMailbox(t)
    await store(mailbox, 'all of this')
    const inboxDir = await cutPower(t, mailbox)
    const [name = ''] = await namesIn(inboxDir)
    const path = join(inboxDir, name)
    const whole = await readFile(path)
    await writeFile(path, tear(whole))
    await openMailbox(t, inboxDir)
    assert.deepEqual(await readFile(path), whole)
    assert.deepEqual(await temporariesIn(inboxDir), [])
  })
}

test('a message that is missing in the boot of its segment stays missing, also after a later power cut', async t => {
  const inboxDir = await tempInbox(t)
  const [kept, gone] = [entry('kept.json'), entry('gone.json')]
  await plantSegment(inboxDir, [kept, gone], { beforeBoot: false })
  await writeFile(join(inboxDir, 'kept.json'), kept.content)
  const [mailbox, allowCheckpoints] = await openWithoutCheckpoints(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['kept.json'])
  await mailbox.close()
  allowCheckpoints()
  pretendReboot(inboxDir)
  await unlink(join(inboxDir, 'kept.json'))
  await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['kept.json'])
})

test('after a failed sync the next start writes the messages once more and deletes the segment', async t => {
  const inboxDir = await tempInbox(t)
  const [there, gone] = [entry('there.json'), entry('gone.json')]
  const path = await plantSegment(inboxDir, [there, gone], { beforeBoot: false })
  await writeFile(join(inboxDir, 'there.json'), there.content)
  await writeFile(failedPath(path), '')
  const { mtimeMs } = await stat(join(inboxDir, 'there.json'))
  await (await openMailbox(t, inboxDir)).close()
  assert.deepEqual(await journalOf(inboxDir), [])
  assert.deepEqual(await namesIn(inboxDir), ['there.json'])
  assert.ok((await stat(join(inboxDir, 'there.json'))).mtimeMs > mtimeMs)
})

test('a missing message gets one tombstone, however often its segment is recovered', async t => {
  const inboxDir = await tempInbox(t)
  const path = await plantSegment(inboxDir, [entry('gone.json'), entry('there.json')], { beforeBoot: false })
  await writeFile(join(inboxDir, 'there.json'), '')
  const [mailbox] = await openWithoutCheckpoints(t, inboxDir)
  await mailbox.close()
  await openMailbox(t, inboxDir)
  assert.deepEqual(await readTombstones(path), ['gone.json'])
})

test('another file of the same name is left alone', async t => {
  const inboxDir = await tempInbox(t)
  const names = ['other', 'longer', 'folder', 'link', 'missing'].map(name => `${name}.json`)
  await plantSegment(
    inboxDir,
    names.map(name => entry(name)),
  )
  const target = join(await tempDir(t), 'target')
  await writeFile(target, '')
  await writeFile(join(inboxDir, 'other.json'), 'something else')
  await writeFile(join(inboxDir, 'longer.json'), `${entry('longer.json').content} and more`)
  await mkdir(join(inboxDir, 'folder.json'))
  await symlink(target, join(inboxDir, 'link.json'))
  await openMailbox(t, inboxDir)
  assert.equal(await readFile(join(inboxDir, 'other.json'), 'utf8'), 'something else')
  assert.match(await readFile(join(inboxDir, 'longer.json'), 'utf8'), / and more$/)
  assert.ok((await stat(join(inboxDir, 'folder.json'))).isDirectory())
  assert.equal(await readFile(target, 'utf8'), '')
  assert.deepEqual(await readFile(join(inboxDir, 'missing.json')), entry('missing.json').content)
})

test('tombstones of one journal do not affect the same name in another journal', async t => {
  const inboxDir = await tempInbox(t)
  const [one, other] = ['2147483646-0123456789abcdef-1', '2147483646-fedcba9876543210-2']
  await plantSegment(inboxDir, [entry('a.json', '{"the":"one"}')], { writer: one })
  await plantSegment(inboxDir, [entry('a.json', '{}')], { writer: other })
  await addTombstones(folderLayout(inboxDir), ['a.json'], 'fedcba9876543210')
  await openMailbox(t, inboxDir)
  assert.equal(await readFile(join(inboxDir, 'a.json'), 'utf8'), '{"the":"one"}')
})

test('segments of running processes are left alone; abandoned segments are recovered', async t => {
  const inboxDir = await tempInbox(t)
  const token = '0123456789abcdef'
  const own = `${process.pid}-${token}-1`
  const old = `${process.ppid}-${token}-2`
  const options = { beforeBoot: false }
  const paths = new Map<string, string>()
  for (const writer of [DEAD, ALIVE, own, old])
    paths.set(writer, await plantSegment(inboxDir, [entry('a.json')], { writer, ...options }))
  const longAgo = Date.now() / 1000 - (20 * FIXED_LIMITS.journalAge.value) / 1000
  await utimes(paths.get(old) ?? '', longAgo, longAgo)
  await writeFile(join(inboxDir, '.journal', 'something else'), 'x')
  const mailbox = await openMailbox(t, inboxDir)
  await mailbox.close()
  assert.deepEqual((await journalOf(inboxDir)).sort(), [`${ALIVE}.log`, 'something else'].sort())
})

test('a segment of another boot is abandoned, even if a running process has the id of its writer', async t => {
  const inboxDir = await tempInbox(t)
  await plantSegment(inboxDir, [entry('a.json')], { writer: ALIVE })
  const mailbox = await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['a.json'])
  await mailbox.close()
  assert.deepEqual(await journalOf(inboxDir), [])
})

test('a second mailbox of the same process leaves the segments of the first alone', async t => {
  const first = await tempMailbox(t)
  await store(first, 'a')
  const journal = await journalOf(first.inboxDir)
  assert.equal(journal.length, 1)
  const second = await openMailbox(t, first.inboxDir)
  await second.close()
  assert.deepEqual(await journalOf(first.inboxDir), journal)
  await store(first, 'b')
  assert.deepEqual(await journalOf(first.inboxDir), journal)
})

test('segments with a torn end or without a header do not affect others', async t => {
  const inboxDir = await tempInbox(t)
  const path = await plantSegment(inboxDir, [entry('a.json'), entry('b.json')])
  await truncate(path, (await stat(path)).size - 1)
  await writeFile(join(inboxDir, '.journal', '2147483646-0123456789abcdef-2.log'), '')
  await writeFile(join(inboxDir, '.journal', '2147483646-0123456789abcdef-3.log'), Buffer.alloc(4096))
  const mailbox = await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['a.json'])
  await mailbox.close()
  assert.deepEqual(await journalOf(inboxDir), [])
})

test('a segment that is being created is left alone, and so is one of a newer version', async t => {
  const inboxDir = await tempInbox(t)
  const dir = join(inboxDir, '.journal')
  await mkdir(dir)
  await writeFile(join(dir, `${ALIVE}.log`), '')
  await writeFile(join(dir, `${DEAD}.log`), 'pilot-dataexchange journal 2 and something new')
  const mailbox = await openMailbox(t, inboxDir)
  await mailbox.close()
  assert.deepEqual((await journalOf(inboxDir)).sort(), [`${ALIVE}.log`, `${DEAD}.log`].sort())
})

test('files that cannot be segments are logged and do not fail the start', async t => {
  const inboxDir = await tempInbox(t)
  await plantSegment(inboxDir, [entry('a.json')])
  const [folder, link, huge] = [2, 3, 4].map(n =>
    join(inboxDir, '.journal', `2147483646-0123456789abcdef-${n}.log`),
  )
  await mkdir(folder ?? '')
  await symlink('/dev/zero', link ?? '')
  await writeFile(huge ?? '', '')
  await truncate(huge ?? '', 2 ** 40)
  const warned: string[] = []
  const warn = (_: unknown, message: string) => warned.push(message)
  await openMailbox(t, inboxDir, { ...silentLogger, warn })
  assert.deepEqual(await namesIn(inboxDir), ['a.json'])
  assert.equal(warned.length, 3)
})

test('if the journal is a file, messages take the slow path', async t => {
  const inboxDir = await tempInbox(t)
  await writeFile(join(inboxDir, '.journal'), '')
  const mailbox = await openMailbox(t, inboxDir)
  await store(mailbox, 'a')
  assert.deepEqual(await textsIn(inboxDir), ['a'])
})

test('if a message cannot be restored the start fails, and the next one restores it', async t => {
  const inboxDir = await tempInbox(t)
  await plantSegment(inboxDir, [entry('a.json'), entry('b.json')])
  let left = 1
  replaceSyncFs(t, 'writeSync', real => (...args) => {
    if (left-- === 0) throw failure('ENOSPC')
    return real(...args)
  })
  await assert.rejects(openMailbox(t, inboxDir), { code: 'STORE_FAILED' })
  assert.deepEqual(await namesIn(inboxDir), ['a.json'])
  assert.deepEqual(await journalOf(inboxDir), [`${DEAD}.log`])
  await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['a.json', 'b.json'])
})

test('a message removed after recovery does not come back with the next start', async t => {
  const inboxDir = await tempInbox(t)
  const path = await plantSegment(inboxDir, [entry('a.json'), entry('b.json')])
  const [mailbox, allowCheckpoints] = await openWithoutCheckpoints(t, inboxDir)
  await mailbox.close()
  allowCheckpoints()
  assert.equal(decodeSegment(await readFile(path)).boot, bootId())
  await unlink(join(inboxDir, 'a.json'))
  await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['b.json'])
})

test('after a power cut, a message that is sent again is a duplicate, restored or not', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox, 'taken', 'id 1')
  await store(mailbox, 'spared', 'id 2')
  const inboxDir = await cutPower(t, mailbox)
  await loseStoredIds(inboxDir)
  const [first = ''] = await namesIn(inboxDir)
  await unlink(join(inboxDir, first))
  const again = await openMailbox(t, inboxDir)
  assert.equal((await store(again, 'taken', 'id 1')).duplicate, true)
  assert.equal((await store(again, 'spared', 'id 2')).duplicate, true)
  assert.equal((await store(again, 'new', 'id 3')).duplicate, false)
  assert.deepEqual(await textsIn(inboxDir), ['new', 'spared', 'taken'])
})

test('a message in the journal that never got its ACK is stored once when it is sent again', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox, 'x', 'id')
  // The process was killed before link(), and the service started again before the power cut.
  const [name = ''] = await namesIn(mailbox.inboxDir)
  const inboxDir = await cutPower(t, mailbox)
  await loseStoredIds(inboxDir)
  await rm(join(inboxDir, '.journal'), { recursive: true })
  await unlink(join(inboxDir, name))
  await plantSegment(inboxDir, [entry(name)], { beforeBoot: false })
  const [second, allowCheckpoints] = await openWithoutCheckpoints(t, inboxDir)
  await second.close()
  allowCheckpoints()
  const third = await openMailbox(t, inboxDir)
  assert.equal((await store(third, 'x', 'id')).duplicate, false)
  const after = await cutPower(t, third)
  await openMailbox(t, after)
  assert.deepEqual(await textsIn(after), ['x'])
})

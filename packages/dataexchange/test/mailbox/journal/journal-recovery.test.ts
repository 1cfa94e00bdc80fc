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

/** What each message says, sorted. */
async function textsIn(inboxDir: string): Promise<string[]> {
  const names = await namesIn(inboxDir)
  const texts = names.map(async name => JSON.parse(await readFile(join(inboxDir, name), 'utf8')).data)
  return (await Promise.all(texts)).sort()
}

/** A mailbox that forgets nothing of its journal, as one that ends soon, until the function is called. */
async function openWithoutCheckpoints(t: TestContext, inboxDir: string): Promise<[Mailbox, () => void]> {
  let broken = true
  replaceFs(t, 'open', real => (path, flags, ...rest) => {
    // So are messages opened to be synced, and nothing else.
    if (broken && typeof flags === 'number') return Promise.reject(failure('EIO'))
    return real(path, flags, ...rest)
  })
  const goOn = () => {
    broken = false
  }
  return [await openMailbox(t, inboxDir), goOn]
}

const journalOf = (inboxDir: string): Promise<string[]> => readdir(join(inboxDir, '.journal')).catch(() => [])

test('after a power cut, messages that were acknowledged and are missing are there again, whole', async t => {
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
  ['nothing', () => Buffer.alloc(0)],
  ['a beginning', (whole: Buffer) => whole.subarray(0, 20)],
  ['zeros in its length', (whole: Buffer) => Buffer.alloc(whole.length)],
  ['zeros behind a beginning', (whole: Buffer) => Buffer.concat([whole.subarray(0, 20), Buffer.alloc(9)])],
  ['zeros before an end', (whole: Buffer) => Buffer.concat([Buffer.alloc(20), whole.subarray(20)])],
] as const) {
  test(`after a power cut, a message of which there is ${what} is whole again`, async t => {
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

test('in the boot that it was written in, what is missing stays so, also after a power cut that comes later', async t => {
  const inboxDir = await tempInbox(t)
  const [kept, gone] = [entry('kept.json'), entry('gone.json')]
  await plantSegment(inboxDir, [kept, gone], { beforeBoot: false })
  await writeFile(join(inboxDir, 'kept.json'), kept.content)
  const [mailbox, goOn] = await openWithoutCheckpoints(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['kept.json'])
  await mailbox.close()
  goOn()
  pretendReboot(inboxDir)
  await unlink(join(inboxDir, 'kept.json'))
  await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['kept.json'])
})

test('after a sync that failed, the next start writes the messages once more, and forgets the segment', async t => {
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

test('what is missing is noted once, however often a segment is looked at', async t => {
  const inboxDir = await tempInbox(t)
  const path = await plantSegment(inboxDir, [entry('gone.json'), entry('there.json')], { beforeBoot: false })
  await writeFile(join(inboxDir, 'there.json'), '')
  const [mailbox] = await openWithoutCheckpoints(t, inboxDir)
  await mailbox.close()
  await openMailbox(t, inboxDir)
  assert.deepEqual(await readTombstones(path), ['gone.json'])
})

test('another file of the same name is left alone, whatever it is', async t => {
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

test('what is noted beside the segment of one journal is not the file that another one has of that name', async t => {
  const inboxDir = await tempInbox(t)
  const [one, other] = ['2147483646-0123456789abcdef-1', '2147483646-fedcba9876543210-2']
  await plantSegment(inboxDir, [entry('a.json', '{"the":"one"}')], { writer: one })
  await plantSegment(inboxDir, [entry('a.json', '{}')], { writer: other })
  await addTombstones(folderLayout(inboxDir), ['a.json'], 'fedcba9876543210')
  await openMailbox(t, inboxDir)
  assert.equal(await readFile(join(inboxDir, 'a.json'), 'utf8'), '{"the":"one"}')
})

test('segments of others that run are left alone; those that nobody writes any more are taken', async t => {
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

test('one of another boot is nobody’s, whoever has the id of its process now', async t => {
  const inboxDir = await tempInbox(t)
  await plantSegment(inboxDir, [entry('a.json')], { writer: ALIVE })
  const mailbox = await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['a.json'])
  await mailbox.close()
  assert.deepEqual(await journalOf(inboxDir), [])
})

test('a second mailbox of the same process leaves what the first one writes', async t => {
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

test('a torn end, and no header, cost nothing else', async t => {
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

test('one that another process is just making is left alone, and so is one of a newer version', async t => {
  const inboxDir = await tempInbox(t)
  const dir = join(inboxDir, '.journal')
  await mkdir(dir)
  await writeFile(join(dir, `${ALIVE}.log`), '')
  await writeFile(join(dir, `${DEAD}.log`), 'pilot-dataexchange journal 2 and something new')
  const mailbox = await openMailbox(t, inboxDir)
  await mailbox.close()
  assert.deepEqual((await journalOf(inboxDir)).sort(), [`${ALIVE}.log`, `${DEAD}.log`].sort())
})

test('what is no segment, or cannot be one, is told of and fails no start', async t => {
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

test('something else under the name of the journal: messages are stored the long way', async t => {
  const inboxDir = await tempInbox(t)
  await writeFile(join(inboxDir, '.journal'), '')
  const mailbox = await openMailbox(t, inboxDir)
  await store(mailbox, 'a')
  assert.deepEqual(await textsIn(inboxDir), ['a'])
})

test('where a message cannot be written again the start fails, and another one makes up for it', async t => {
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

test('what is removed once a service has been started does not come back with the next one', async t => {
  const inboxDir = await tempInbox(t)
  const path = await plantSegment(inboxDir, [entry('a.json'), entry('b.json')])
  const [mailbox, goOn] = await openWithoutCheckpoints(t, inboxDir)
  await mailbox.close()
  goOn()
  assert.equal(decodeSegment(await readFile(path)).boot, bootId())
  await unlink(join(inboxDir, 'a.json'))
  await openMailbox(t, inboxDir)
  assert.deepEqual(await namesIn(inboxDir), ['b.json'])
})

test('after a power cut, a message that is sent again under its id is known, written again or not', async t => {
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

test('one that was in the journal, and that its sender was never told of, is there once when it is sent again', async t => {
  const mailbox = await tempMailbox(t)
  await store(mailbox, 'x', 'id')
  // Killed before it had its name, and started again before the power went.
  const [name = ''] = await namesIn(mailbox.inboxDir)
  const inboxDir = await cutPower(t, mailbox)
  await loseStoredIds(inboxDir)
  await rm(join(inboxDir, '.journal'), { recursive: true })
  await unlink(join(inboxDir, name))
  await plantSegment(inboxDir, [entry(name)], { beforeBoot: false })
  const [second, goOn] = await openWithoutCheckpoints(t, inboxDir)
  await second.close()
  goOn()
  const third = await openMailbox(t, inboxDir)
  assert.equal((await store(third, 'x', 'id')).duplicate, false)
  const after = await cutPower(t, third)
  await openMailbox(t, after)
  assert.deepEqual(await textsIn(after), ['x'])
})

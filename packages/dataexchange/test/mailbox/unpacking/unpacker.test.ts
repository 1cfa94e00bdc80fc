import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { concat, utf8 } from '#lib/bytes.js'
import { openFolder } from '#lib/client/source/folder-source.js'
import type { MailboxConfig } from '#lib/mailbox/config.js'
import { Mailbox, type UnpackOutcome } from '#lib/mailbox/mailbox.js'
import { clearReceived, listReceived } from '#lib/mailbox/received/read.js'
import { UnpackQueue } from '#lib/mailbox/unpacking/unpack-queue.js'
import {
  all,
  folderTar,
  type MadeEntry,
  mixedTree,
  snapshot,
  tarOf,
} from '../../../../../test/helpers/folder-tree.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'
import { namesIn, temporariesIn } from '../../helpers/temp-mailbox.js'

/** A mailbox with a queue of its unpack outcomes. */
class Opened {
  readonly outcomes: UnpackOutcome[] = []
  readonly #told = new EventTarget()
  mailbox!: Mailbox

  static async start(t: TestContext, config: MailboxConfig = {}, dir = tempDir(t)): Promise<Opened> {
    const opened = new Opened()
    const folders = { inboxDir: join(dir, 'inbox'), receivedDir: join(dir, 'received') }
    const onUnpacked = (outcome: UnpackOutcome) => {
      opened.outcomes.push(outcome)
      opened.#told.dispatchEvent(new Event('outcome'))
    }
    opened.mailbox = await Mailbox.open({ ...folders, ...config }, undefined, { onUnpacked })
    t.after(() => opened.mailbox.close())
    return opened
  }

  get dir(): string {
    return this.mailbox.receivedDir
  }

  async store(bytes: Uint8Array, filename = 'f.tar') {
    return this.mailbox.storeFile({ filename, length: bytes.length, from: '0:0000.0000.0001' }, bytes)
  }

  /** Resolves with the next outcome. */
  async outcome(): Promise<UnpackOutcome> {
    if (this.outcomes.length === 0) await once(this.#told, 'outcome')
    const [outcome] = this.outcomes.splice(0, 1)
    assert.ok(outcome)
    return outcome
  }
}

const a: MadeEntry = { path: 'f/a', content: utf8('abc') }

async function archiveOf(dir: string): Promise<Uint8Array> {
  return concat(await all((await openFolder(dir, { root: 'f', skipSpecial: false })).pieces()))
}

test('a folder is unpacked as it was sent, and replaces its archive', async t => {
  const source = mixedTree(join(tempDir(t), 'x'))
  const { files, folders } = await openFolder(source, { root: 'f', skipSpecial: false })
  const opened = await Opened.start(t)
  const bytes = await archiveOf(source)
  const stored = await opened.store(bytes, 'my photos.tar')
  assert.equal(stored.unpacking, true)
  const outcome = await opened.outcome()
  const path = stored.path.slice(0, -'.tar'.length)
  const total = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .map(name => statSync(join(source, name)))
    .filter(stats => stats.isFile())
    .reduce((sum, { size }) => sum + size, 0)
  assert.deepEqual(outcome.folder, { root: 'f', files, folders, bytes: total })
  assert.deepEqual([outcome.path, outcome.size, outcome.reason], [path, bytes.length, undefined])
  assert.equal(outcome.record.originalName, 'my photos.tar')
  assert.deepEqual(snapshot(path), snapshot(source))
  assert.match(path, /\/my photos-\d{8}-\d{6}\.\d{3}-\d{6}$/)
  assert.deepEqual(await namesIn(opened.dir), [path.split('/').at(-1)])
  // Its queue entry is removed after the outcome is reported.
  await opened.mailbox.close()
  assert.deepEqual(await temporariesIn(opened.dir), [])
  assert.deepEqual(readdirSync(join(opened.dir, '.unpacking')), [])
  assert.deepEqual(readdirSync(join(opened.dir, '.records')), [`${path.split('/').at(-1)}.json`])
})

test('a read-only folder is unpacked so that its owner can remove it', async t => {
  const opened = await Opened.start(t)
  await opened.store(
    folderTar([
      { path: 'f/d', kind: 'folder', mode: 0 },
      { ...a, path: 'f/d/a', mode: 0o444 },
    ]),
  )
  const { path } = await opened.outcome()
  assert.equal(statSync(join(path, 'd')).mode & 0o777, 0o700)
  assert.equal(statSync(join(path, 'd', 'a')).mode & 0o7777, 0o444)
})

test('archives of other kinds stay, without an outcome', async t => {
  const opened = await Opened.start(t)
  const others = [
    tarOf([a]),
    tarOf([a, { path: '.pilot-manifest.json', content: utf8('{}') }]),
    utf8('no archive'),
    new Uint8Array(0),
  ]
  for (const bytes of others) assert.equal((await opened.store(bytes)).unpacking, undefined)
  const elsewhere = await opened.store(folderTar([a]), 'f.tar.gz')
  assert.equal(elsewhere.unpacking, undefined)
  assert.equal((await namesIn(opened.dir)).filter(name => name.includes('.tar')).length, others.length + 1)
  assert.deepEqual(opened.outcomes, [])
})

test('nothing is unpacked if unpacking is off', async t => {
  const opened = await Opened.start(t, { unpack: false })
  const { path, unpacking } = await opened.store(folderTar([a]))
  assert.equal(unpacking, undefined)
  assert.ok(existsSync(path))
})

const good = folderTar([a])
const refused: Record<string, [Uint8Array, RegExp]> = {
  'a path that leads out': [folderTar([{ ...a, path: 'f/../../evil' }]), /leads out of its folder/],
  'an absolute path': [folderTar([{ ...a, path: '/tmp/evil' }]), /begins with a slash/],
  'a path beside the root': [folderTar([{ ...a, path: 'g' }]), /not below "f"/],
  'the same path twice': [folderTar([a, a]), /twice/],
  'paths that differ in case only': [folderTar([a, { ...a, path: 'f/A' }]), /twice/],
  'more files than its manifest says': [folderTar([a], { files: 0 }), /differs from its manifest/],
  'more bytes than its manifest says': [folderTar([a], { bytes: 2 }), /differs from its manifest/],
  'less than its manifest says': [folderTar([a], { files: 2 }), /differs from its manifest/],
  'too many entries': [folderTar([a], { files: 1_000_000 }), /allowed/],
  'an end that is missing': [good.subarray(0, -512), /truncated/],
  'something behind its end': [concat([good, utf8('x')]), /data after/],
  'a manifest of another version': [
    tarOf([{ path: '.pilot-manifest.json', content: utf8('{"format":"pilot-folder","version":9}') }]),
    /version 9/,
  ],
  'a manifest that is too long': [
    tarOf([{ path: '.pilot-manifest.json', content: new Uint8Array(5_000).fill(0x20) }]),
    /too long/,
  ],
}
for (const [name, [bytes, reason]] of Object.entries(refused)) {
  test(`an archive with ${name} stays as it is, and leaves nothing else`, async t => {
    const opened = await Opened.start(t)
    const { path } = await opened.store(bytes)
    const outcome = await opened.outcome()
    assert.match(outcome.reason ?? '', reason)
    assert.deepEqual([outcome.path, outcome.folder], [path, undefined])
    assert.deepEqual(readFileSync(path), Buffer.from(bytes))
    assert.deepEqual(await temporariesIn(opened.dir), [])
    assert.deepEqual(await namesIn(opened.dir), [path.split('/').at(-1)])
    assert.deepEqual(readdirSync(join(opened.dir, '..')).sort(), ['inbox', 'received'])
  })
}

test('links and devices are refused', async t => {
  const opened = await Opened.start(t)
  for (const type of ['1', '2', '3', '4', '6']) {
    const bytes = folderTar([a]).slice()
    // The header of f/a follows the two blocks of the manifest and the block of the root.
    const at = 3 * 512
    bytes[at + 156] = type.charCodeAt(0)
    bytes.fill(0x20, at + 148, at + 156)
    const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0)
    bytes.set(utf8(`${sum.toString(8).padStart(6, '0')}\0 `), at + 148)
    const { path } = await opened.store(bytes)
    assert.match((await opened.outcome()).reason ?? '', /"f\/a" is a/)
    assert.ok(existsSync(path))
  }
})

test('an archive stays if its folder exceeds the quota', async t => {
  const content = new Uint8Array(10_000)
  const bytes = folderTar([{ path: 'f/a', content }])
  const opened = await Opened.start(t, { receivedMaxBytes: bytes.length + content.length - 1 })
  const { path } = await opened.store(bytes)
  assert.equal((await opened.outcome()).reason, 'received folder full')
  assert.ok(existsSync(path))
  // Its reservation has been released.
  const left = opened.mailbox.limits.receivedMaxBytes - bytes.length
  await opened.store(new Uint8Array(left), 'fits.bin')
  await assert.rejects(opened.store(new Uint8Array(1), 'fits-not.bin'), { code: 'RECEIVED_FULL' })
})

test('an unpacked folder counts for the quota, also after a restart, until it is removed', async t => {
  const dir = tempDir(t)
  const content = new Uint8Array(10_000)
  const config = { receivedMaxBytes: 25_000 }
  const opened = await Opened.start(t, config, dir)
  await opened.store(folderTar([{ path: 'f/a', content }]))
  await opened.outcome()
  const tooMuch = (mailbox: Opened) =>
    assert.rejects(mailbox.store(new Uint8Array(15_001), 'x'), { code: 'RECEIVED_FULL' })
  await tooMuch(opened)
  await opened.mailbox.close()
  const again = await Opened.start(t, config, dir)
  await tooMuch(again)
  mkdirSync(join(again.dir, 'not ours'))
  writeFileSync(join(again.dir, 'not ours', 'x'), new Uint8Array(20_000))
  await again.store(new Uint8Array(15_000), 'x')
  await tooMuch(again)
  await clearReceived(again.dir)
  await again.store(new Uint8Array(25_000), 'x')
})

test('an unpacked folder is listed with its record and its content, and cleared with the files', async t => {
  const opened = await Opened.start(t)
  await opened.store(folderTar([a, { ...a, path: 'f/b', content: utf8('12345') }]), 'x.tar')
  await opened.outcome()
  await opened.store(utf8('file'), 'y.txt')
  mkdirSync(join(opened.dir, 'not ours'))
  const { files, total } = await listReceived(opened.dir)
  assert.equal(total, 2)
  const folder = files.find(file => file.files !== undefined)
  assert.deepEqual(
    [folder?.files, folder?.size, folder?.originalName, folder?.from, folder?.damagedRecord],
    [2, 8, 'x.tar', '0:0000.0000.0001', undefined],
  )
  assert.deepEqual(await clearReceived(opened.dir), { cleared: 2, remaining: 0 })
  assert.deepEqual(await namesIn(opened.dir), ['not ours'])
  assert.deepEqual(readdirSync(join(opened.dir, '.records')), [])
  assert.deepEqual(await temporariesIn(opened.dir), [])
})

test('the start finishes what an earlier process was unpacking, and removes its temporary files', async t => {
  const dir = tempDir(t)
  const first = await Opened.start(t, { unpack: false }, dir)
  const { path, name } = await first.store(folderTar([a]))
  await first.mailbox.close()
  await new UnpackQueue(first.dir).write(name, 1)
  // The temporary folder of a dead process.
  const remains = join(first.dir, '.tmp', `4194303-${'0'.repeat(16)}-1.tmp`)
  mkdirSync(join(remains, 'd'), { recursive: true })
  writeFileSync(join(remains, 'd', 'half'), 'x')
  const second = await Opened.start(t, {}, dir)
  assert.equal(existsSync(remains), false)
  const outcome = await second.outcome()
  assert.deepEqual([outcome.path, outcome.record.originalName], [path.slice(0, -4), 'f.tar'])
  assert.equal(existsSync(path), false)
})

test('an archive is removed if its folder exists already, and stays if another folder has the name', async t => {
  const dir = tempDir(t)
  const first = await Opened.start(t, { unpack: false }, dir)
  const same = await first.store(folderTar([a]))
  const other = await first.store(folderTar([a]))
  await first.mailbox.close()
  for (const { name, path } of [same, other]) {
    await new UnpackQueue(first.dir).write(name, 1)
    mkdirSync(path.slice(0, -4))
  }
  writeFileSync(join(same.path.slice(0, -4), 'a'), 'abc')
  writeFileSync(join(other.path.slice(0, -4), 'mine'), 'not to be lost')
  const second = await Opened.start(t, {}, dir)
  const outcomes = [await second.outcome(), await second.outcome()]
  assert.deepEqual(outcomes.map(({ reason }) => reason !== undefined).sort(), [false, true])
  assert.deepEqual([existsSync(same.path), existsSync(other.path)], [false, true])
  assert.equal(readFileSync(join(other.path.slice(0, -4), 'mine'), 'utf8'), 'not to be lost')
})

test('an archive with too many attempts stays; queue entries of missing archives are removed', async t => {
  const dir = tempDir(t)
  const first = await Opened.start(t, { unpack: false }, dir)
  const { name, path } = await first.store(folderTar([a]))
  await first.mailbox.close()
  const notes = new UnpackQueue(first.dir)
  await notes.write(name, 3)
  await notes.write('gone-20260101-000000.000-000001.tar', 1)
  const second = await Opened.start(t, {}, dir)
  assert.match((await second.outcome()).reason ?? '', /each time/)
  assert.ok(existsSync(path))
  // It is queued behind them.
  await second.store(folderTar([a]))
  await second.outcome()
  await second.mailbox.close()
  assert.deepEqual(await notes.names(), [])
})

test('closing a mailbox interrupts unpacking, and the next one continues', async t => {
  const dir = tempDir(t)
  const first = await Opened.start(t, {}, dir)
  const files = Array.from({ length: 500 }, (_, at) => ({ ...a, path: `f/${at}` }))
  const { path } = await first.store(folderTar(files))
  await first.mailbox.close()
  assert.equal(first.outcomes.length, 0)
  assert.ok(existsSync(path))
  assert.deepEqual(await temporariesIn(first.dir), [])
  const second = await Opened.start(t, {}, dir)
  assert.equal((await second.outcome()).folder?.files, 500)
})

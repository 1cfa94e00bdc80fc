import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FoundEntry, readTar, type TarSource } from '#lib/archive/read-tar.js'
import { END_SIZE, type TarEntry } from '#lib/archive/tar-entry.js'
import { encodeTarHeader } from '#lib/archive/tar-header.js'
import { concat, utf8 } from '#lib/bytes.js'
import { all, mixedTree, snapshot, tarOf } from '../../../../test/helpers/folder-tree.js'
import { tempDir } from '../../../../test/helpers/temp-dir.js'

const noTar = spawnSync('tar', ['--version']).stdout?.toString().includes('GNU') ? false : 'no GNU tar'

function sourceOf(bytes: Uint8Array): TarSource {
  return { size: bytes.length, read: async (into, at) => into.set(bytes.subarray(at, at + into.length)) }
}

async function entriesOf(bytes: Uint8Array): Promise<FoundEntry[]> {
  return all(readTar(sourceOf(bytes)))
}

const invalid = (message: RegExp) => ({ name: 'MailboxError', code: 'ARCHIVE_INVALID', message })

/** Changes bytes of the first header, and mends its checksum. */
function withHeader(bytes: Uint8Array, change: (header: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice()
  change(copy)
  copy.fill(0x20, 148, 156)
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  copy.set(utf8(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
  return copy
}

test('entries of any name, size, mode and time are read as they were written', async () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 80 })
    .map(text => text.replace(/[/\0]/g, '_'))
  const path = fc.array(name, { minLength: 1, maxLength: 5 }).map(names => names.join('/'))
  const file = fc.record({
    path: path.map(text => Buffer.from(text).toString()),
    kind: fc.constant('file' as const),
    content: fc.uint8Array({ maxLength: 1_500 }),
    mode: fc.integer({ min: 0, max: 0o777 }),
    mtime: fc.oneof(fc.integer({ min: -1e10, max: 1e11 }), fc.constant(1_700_000_000)),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(file, { maxLength: 8 }), async files => {
      const bytes = tarOf(files)
      const found = await entriesOf(bytes)
      const back = found.map(({ dataAt, size, ...entry }) => ({
        ...entry,
        content: bytes.slice(dataAt, dataAt + size),
      }))
      assert.deepEqual(
        back.map(entry => ({ ...entry, content: [...entry.content] })),
        files.map(entry => ({ ...entry, content: [...entry.content] })),
      )
    }),
  )
})

test('a file of 8 GiB and more gets an extended header', async () => {
  const size = 20 * 1024 ** 3 + 1
  const entry: TarEntry = { path: 'big', kind: 'file', size, mode: 0o600, mtime: 0 }
  const head = encodeTarHeader(entry)
  const whole = head.length + Math.ceil(size / 512) * 512 + END_SIZE
  const source = {
    size: whole,
    read: async (into: Uint8Array, at: number) => into.set(head.subarray(at, at + into.length)),
  }
  // It is not read through: what comes behind that much would take long.
  for await (const { dataAt, ...found } of readTar(source)) {
    assert.deepEqual([found, dataAt], [entry, head.length])
    break
  }
})

test('the same entry gives the same bytes, and short ASCII names take one block', () => {
  const entry: TarEntry = { path: 'a/b', kind: 'folder', size: 0, mode: 0o755, mtime: 1 }
  assert.deepEqual(encodeTarHeader(entry), encodeTarHeader({ ...entry }))
  assert.equal(encodeTarHeader(entry).length, 512)
  assert.equal(encodeTarHeader({ ...entry, path: `${'d'.repeat(150)}/${'n'.repeat(99)}` }).length, 512)
  assert.equal(encodeTarHeader({ ...entry, path: 'é' }).length, 3 * 512)
})

test('GNU tar reads our archives without a warning', { skip: noTar }, async t => {
  const dir = tempDir(t)
  const long = `${'d'.repeat(120)}/${'é'.repeat(100)}`
  const entries = ['a', 'b c', 'ñ', long.split('/')[0] ?? '', long].map(path => ({
    path,
    kind: path === long.split('/')[0] ? ('folder' as const) : ('file' as const),
    mode: path === 'a' ? 0o640 : 0o755,
    content: path.startsWith('d') && path !== long ? new Uint8Array(0) : utf8(`content of ${path}`),
  }))
  writeFileSync(join(dir, 'x.tar'), tarOf(entries))
  mkdirSync(join(dir, 'out'))
  const { status, stderr } = spawnSync('tar', ['xpf', '../x.tar'], { cwd: join(dir, 'out') })
  assert.deepEqual([status, stderr.toString()], [0, ''])
  const found = snapshot(join(dir, 'out'))
  assert.deepEqual(Object.keys(found).sort(), entries.map(({ path }) => path).sort())
  assert.match(found.a ?? '', /^640 1700000000 /)
  assert.equal(readFileSync(join(dir, 'out', long), 'utf8'), `content of ${long}`)
})

for (const format of ['pax', 'ustar']) {
  test(`an archive of GNU tar in the format ${format} is read`, { skip: noTar }, async t => {
    const dir = tempDir(t)
    const tree = format === 'pax' ? mixedTree(join(dir, 'f')) : undefined
    if (tree === undefined) {
      mkdirSync(join(dir, 'f'))
      writeFileSync(join(dir, 'f', 'a'), 'abc')
    }
    execFileSync('tar', ['cf', 'x.tar', `--format=${format}`, 'f'], { cwd: dir })
    const bytes = readFileSync(join(dir, 'x.tar'))
    const found = await entriesOf(bytes)
    const names = found.map(({ path }) => path).filter(path => path !== 'f')
    assert.deepEqual(
      names.sort(),
      Object.keys(snapshot(join(dir, 'f')))
        .map(name => `f/${name}`)
        .sort(),
    )
    for (const { path, kind, size, dataAt } of found) {
      if (kind === 'file')
        assert.deepEqual(bytes.subarray(dataAt, dataAt + size), readFileSync(join(dir, path)), path)
    }
  })
}

const good = tarOf([{ path: 'a', content: utf8('abc') }])
const bad: Record<string, [Uint8Array, RegExp]> = {
  'without an end': [good.subarray(0, 1024), /truncated/],
  'with half an end': [good.subarray(0, 1536), /truncated/],
  'that ends within a file': [good.subarray(0, 512), /ends within "a"/],
  'with data after its end': [concat([good, utf8('x')]), /data after its end/],
  'with a damaged header': [concat([utf8('b'), good.subarray(1)]), /header is damaged/],
  'in another format': [withHeader(good, header => header.set(utf8('ustar  '), 257)), /POSIX/],
  'with an invalid number': [withHeader(good, header => header.set(utf8('9'), 124)), /number/],
  'with a binary number': [withHeader(good, header => header.fill(0x80, 124, 125)), /number/],
  'with a name that is not UTF-8': [withHeader(good, header => header.fill(0xff, 0, 1)), /UTF-8/],
  'with a hard link': [withHeader(good, header => header.set(utf8('1'), 156)), /a hard link/],
  'with a symbolic link': [withHeader(good, header => header.set(utf8('2'), 156)), /a symbolic link/],
  'with a device': [withHeader(good, header => header.set(utf8('3'), 156)), /a device/],
  'with a block device': [withHeader(good, header => header.set(utf8('4'), 156)), /a device/],
  'with a FIFO': [withHeader(good, header => header.set(utf8('6'), 156)), /a FIFO/],
  'with a type of its own': [withHeader(good, header => header.set(utf8('L'), 156)), /type "L"/],
  'with a folder that has content': [withHeader(good, header => header.set(utf8('5'), 156)), /has content/],
  'that is not a tar archive': [utf8('x'.repeat(2000)), /./],
  'that is empty': [new Uint8Array(0), /truncated/],
}
for (const [name, [bytes, message]] of Object.entries(bad)) {
  test(`an archive ${name} is refused`, () => assert.rejects(entriesOf(bytes), invalid(message)))
}

/** An extended header with `body`, and a file behind it. */
function extendedBy(body: string): Uint8Array {
  const header = tarOf([{ path: 'x', content: utf8(body) }]).subarray(0, 1024)
  return concat([withHeader(header, bytes => bytes.set(utf8('x'), 156)), good])
}

test('an extended header is read, and an unknown record is refused', async () => {
  assert.equal((await entriesOf(extendedBy('10 path=b\n')))[0]?.path, 'b')
  assert.equal((await entriesOf(extendedBy('15 comment=abc\n')))[0]?.path, 'a')
  assert.equal((await entriesOf(extendedBy('15 mtime=-1.50\n')))[0]?.mtime, -2)
  const refused = [
    '11 path=b\n',
    '10 path=b',
    '25 GNU.sparse.realsize=10\n',
    '16 linkpath=abc\n',
    '10 size=x\n',
    'x',
  ]
  for (const body of refused)
    await assert.rejects(entriesOf(extendedBy(body)), invalid(/extended header/), body)
  await assert.rejects(
    entriesOf(concat([extendedBy('10 path=b\n').subarray(0, 1024), extendedBy('10 path=b\n')])),
    invalid(/follow each other/),
  )
  await assert.rejects(
    entriesOf(concat([extendedBy('10 path=b\n').subarray(0, 1024), new Uint8Array(END_SIZE)])),
    invalid(/has no entry/),
  )
})

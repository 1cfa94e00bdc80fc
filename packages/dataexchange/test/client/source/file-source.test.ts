import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type FileSource, type OpenSource, openSeekable, openSource } from '#lib/client/source/file-source.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.ts'

const MAX = 8 * 1024 * 1024
const content = Buffer.alloc(1_000_003, 'pilot data exchange ')

async function read(source: OpenSource): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const piece of source.pieces()) parts.push(piece)
  return Buffer.concat(parts)
}

test('every kind of source gives its bytes and its size', async t => {
  const path = join(tempDir(t), 'x.bin')
  writeFileSync(path, content)
  const sources: Record<string, FileSource> = {
    path,
    url: pathToFileURL(path),
    bytes: content,
    blob: new Blob([content]),
    'Node stream': Readable.from([content.subarray(0, 10), content.subarray(10)]),
    'Web stream': new Blob([content]).stream(),
  }
  for (const [name, given] of Object.entries(sources)) {
    const source = await openSource(given, MAX)
    assert.equal(source.size, content.length, name)
    assert.ok((await read(source)).equals(content), name)
    await source.close()
  }
})

test('an empty file and an empty stream have a size of zero', async t => {
  const path = join(tempDir(t), 'empty')
  writeFileSync(path, '')
  for (const given of [path, Readable.from([]), new Uint8Array(0), new Blob([])]) {
    const source = await openSource(given, MAX)
    assert.equal(source.size, 0)
    assert.equal((await read(source)).length, 0)
    await source.close()
  }
})

test('a stream whose size is told is not spooled', async () => {
  let asked = false
  async function* lazy() {
    asked = true
    yield Buffer.from('abc')
  }
  const source = await openSource(Readable.from(lazy()), MAX, 3)
  assert.equal(asked, false)
  assert.equal(source.size, 3)
  assert.equal(String(await read(source)), 'abc')
})

test('a spooled stream leaves nothing in the temporary folder', async () => {
  const mine = () => readdirSync(tmpdir()).filter(name => /^pilot-dx-[0-9a-f-]{36}$/.test(name)).length
  const before = mine()
  const source = await openSource(Readable.from([content]), MAX)
  assert.equal(mine(), before)
  await source.close()
})

test('a stream longer than the cap is refused without reading it all', async () => {
  let given = 0
  async function* endless() {
    for (;;) {
      given++
      yield Buffer.alloc(1024)
    }
  }
  await assert.rejects(openSource(Readable.from(endless()), 10_000), { code: 'FRAME_TOO_LARGE' })
  assert.ok(given < 100, `${given} pieces were read`)
})

test('the error names an unreadable file', async t => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'folder'))
  await assert.rejects(openSource(join(dir, 'none'), MAX), {
    code: 'SOURCE_UNREADABLE',
    message: /none cannot be read: there is no such file/,
  })
  await assert.rejects(openSource(join(dir, 'folder'), MAX), {
    code: 'SOURCE_UNREADABLE',
    message: /folder is a folder, not a file/,
  })
  await assert.rejects(openSource('/dev/null', MAX), { code: 'SOURCE_UNREADABLE' })
})

test('a stream of objects is refused', async () => {
  await assert.rejects(openSource(Readable.from([{ a: 1 }]), MAX), { code: 'SOURCE_UNREADABLE' })
})

test('a file that changes while it is read is an error before its last piece', async t => {
  const path = join(tempDir(t), 'x.bin')
  const changes: Record<string, () => void> = {
    grows: () => appendFileSync(path, 'more'),
    shrinks: () => truncateSync(path, 700_000),
    'is written anew': () => writeFileSync(path, Buffer.alloc(content.length, 'other')),
  }
  for (const [name, change] of Object.entries(changes)) {
    writeFileSync(path, content)
    const source = await openSource(path, MAX)
    const hash = createHash('sha256')
    let bytes = 0
    await assert.rejects(
      async () => {
        for await (const piece of source.pieces()) {
          if (bytes === 0) change()
          bytes += piece.length
          hash.update(piece)
        }
      },
      { code: 'SOURCE_CHANGED' },
      name,
    )
    assert.ok(bytes < content.length, `${name}: all bytes were given`)
    await source.close()
  }
})

test('every kind of source can be read from anywhere, and again', async t => {
  const path = join(tempDir(t), 'x.bin')
  writeFileSync(path, content)
  const sources: FileSource[] = [path, content, new Blob([content]), Readable.from([content])]
  for (const given of sources) {
    const source = await openSeekable(given)
    assert.equal(source.size, content.length)
    for (const [at, length] of [
      [content.length - 5, 5],
      [0, 7],
      [500_000, 400_000],
      [0, 0],
    ] as const) {
      const into = Buffer.alloc(length)
      await source.read(into, at)
      assert.ok(into.equals(content.subarray(at, at + length)))
    }
    await source.check()
    await source.close()
  }
})

test('a file that is read again is checked against what it was when it was opened', async t => {
  const path = join(tempDir(t), 'x.bin')
  writeFileSync(path, content)
  const source = await openSeekable(path)
  appendFileSync(path, 'more')
  await assert.rejects(source.check(), { code: 'SOURCE_CHANGED' })
  truncateSync(path, 10)
  await assert.rejects(source.read(Buffer.alloc(11), 0), { code: 'SOURCE_CHANGED' })
  await source.close()
})

test('a file of the kernel, which says that it has no bytes, is read to its end', {
  skip: process.platform !== 'linux',
}, async () => {
  const expected = readFileSync('/proc/version')
  for (const source of [await openSource('/proc/version', MAX), await openSeekable('/proc/version')]) {
    assert.equal(source.size, expected.length)
    assert.deepEqual(await read(source), expected)
    await source.close()
  }
  await assert.rejects(openSource('/proc/version', 3), { code: 'FRAME_TOO_LARGE' })
})

test('what cannot be opened to its end leaves no descriptor open', {
  skip: process.platform !== 'linux',
}, async () => {
  for (let i = 0; i < 5; i++) await assert.rejects(openSource('/proc/version', 3))
  const open = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  assert.deepEqual(
    open.filter(path => /\/version$|\/pilot-dx-/.test(path)),
    [],
  )
})

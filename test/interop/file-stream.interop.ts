import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mixedTree, snapshot } from '../helpers/folder-tree.js'
import { type Box, IS_OLD, originalBox, twoNodes } from './original.js'
import { recorded } from './recording/recorder.js'
import { numbered } from './recording/runs.js'

// FILESTREAM between the original's programs and ours (section 4).

const skip = IS_OLD ? 'this version falls back to FILE, or knows nothing else' : false
const NO_SERVICE = { a: ['-no-dataexchange'] }
const SIZES = [0, 1, 8192, 48 * 1024, 48 * 1024 + 1, 2 ** 20]

/** A file of each size in the folder of `box`, with what its transfer must tell. */
function filesOf(box: Box, sizes: readonly number[] = SIZES) {
  return sizes.map(size => {
    const content = numbered(size)
    const path = box.write(`size-${size}.raw`, content)
    const told = {
      filename: `size-${size}.raw`,
      bytes: size,
      bytes_sent: size,
      bytes_resumed: 0,
      sha256: createHash('sha256').update(content).digest('hex'),
      transport: 'filestream',
      verified: true,
    }
    return { path, content, told }
  })
}

/** The fields that `told` and `sent` share, as in `sent`. */
function sameFields(told: object, sent: Record<string, unknown>) {
  return Object.fromEntries(Object.keys(told).map(key => [key, sent[key]]))
}

/** The received files of `box` of one size. */
function storedOf(box: Box, size: number): Buffer[] {
  const files = [...box.files()].filter(([name]) => name.startsWith(`size-${size}-`))
  for (const [name] of files) assert.match(name, /^size-\d+-\d{8}-\d{6}\.\d{3}-\d{6}\.raw$/)
  return files.map(([, content]) => content)
}

test('pilotctl send-file to serve on the original’s daemon: verified, content equal', { skip }, async t => {
  recorded(t, 'serve-takes-streams')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  for (const { path, content, told } of filesOf(bert)) {
    const sent = await bert.pilotctlOk('send-file', 'anna', path)
    assert.deepEqual(sameFields(told, sent), told)
    assert.deepEqual(
      storedOf(anna, content.length).map(stored => stored.equals(content)),
      [true],
    )
  }
})

test('pilotctl send-file on the embedded daemon: verified, content equal', { skip }, async t => {
  recorded(t, 'pilotctl-streams')
  const box = originalBox(t)
  const { data } = await box.serve('--embedded', '--hostname', 'alice')
  for (const { path, content, told } of filesOf(box)) {
    const sent = await box.pilotctlOk('send-file', data.address, path)
    assert.deepEqual(sameFields(told, sent), told)
    assert.deepEqual(
      storedOf(box, content.length).map(stored => stored.equals(content)),
      [true],
    )
  }
})

test('send-file to the original’s service: verified, content equal', { skip }, async t => {
  recorded(t, 'client-streams')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  for (const { path, content, told } of filesOf(anna)) {
    const sent = await anna.ok(['send-file', 'bert', path])
    assert.deepEqual(sameFields(told, sent), told)
    assert.deepEqual(
      storedOf(bert, content.length).map(stored => stored.equals(content)),
      [true],
    )
  }
})

// Not recorded: a recording is committed.
test('10 MB in chunks: pilotctl to serve on either daemon, send-file to the original’s service', {
  skip,
}, async t => {
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const alone = originalBox(t)
  const { data } = await alone.serve('--embedded', '--hostname', 'alice')
  const [toServe] = filesOf(bert, [10_000_000])
  const [toTheirs] = filesOf(anna, [10_000_000])
  const [onEmbedded] = filesOf(alone, [10_000_000])
  assert.ok(toServe && toTheirs && onEmbedded)
  const sent = [
    [toServe, await bert.pilotctlOk('send-file', 'anna', toServe.path), anna],
    [toTheirs, await anna.ok(['send-file', 'bert', toTheirs.path]), bert],
    [onEmbedded, await alone.pilotctlOk('send-file', data.address, onEmbedded.path), alone],
  ] as const
  for (const [{ content, told }, result, receiver] of sent) {
    assert.deepEqual(sameFields(told, result), told)
    assert.deepEqual(
      storedOf(receiver, content.length).map(stored => stored.equals(content)),
      [true],
    )
  }
})

/** `INTEROP_FOLDER_MB=300` sends as much as that, in 2,000 files more. */
const FOLDER_MB = Number(process.env.INTEROP_FOLDER_MB ?? 0)

test('send-file of a folder to the original’s service: one archive, which unpacks to the same', {
  skip,
}, async t => {
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const source = mixedTree(join(anna.dir, 'photos'))
  const block = randomBytes(FOLDER_MB * 500)
  for (let i = 0; i < (FOLDER_MB > 0 ? 2_000 : 0); i++) writeFileSync(join(source, `файл ${i}`), block)
  const sent = await anna.ok(['send-file', 'bert', source])
  assert.deepEqual([sent.filename, sent.transport, sent.verified], ['photos.tar', 'filestream', true])

  const received = join(bert.home, 'received')
  const [archive = '', ...others] = readdirSync(received).filter(name => !name.startsWith('.'))
  assert.match(archive, /^photos-[-.\d]+\.tar$/)
  assert.deepEqual(others, [])
  const target = join(bert.dir, 'unpacked')
  mkdirSync(target)
  execFileSync('tar', ['xpf', join(received, archive), '-C', target])
  assert.deepEqual(snapshot(join(target, 'photos')), snapshot(source))
})

test('a file over the quota of serve is refused at INIT: pilotctl says so and sends no FILE', {
  skip,
}, async t => {
  recorded(t, 'serve-refuses-streams')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve('--received-max-bytes', '1000KiB')
  for (const { path, content } of filesOf(bert)) {
    const sent = await bert.pilotctl('send-file', 'anna', path)
    if (content.length < 1_000_000) {
      assert.equal(sent.code, 0)
    } else {
      assert.deepEqual([sent.code, sent.error.code], [1, 'connection_failed'])
      assert.match(sent.error.message, /^streamed send-file failed: .*received folder full/)
      assert.deepEqual(storedOf(anna, content.length), [])
    }
  }
})

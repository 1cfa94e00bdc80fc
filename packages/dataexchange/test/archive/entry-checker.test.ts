import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EntryChecker, pathExcess } from '#lib/archive/entry-checker.js'
import { decodeManifest, encodeManifest } from '#lib/archive/manifest.js'
import { utf8 } from '#lib/bytes.js'
import { FIXED_LIMITS } from '#lib/limits.js'

const MANY = { root: 'f', files: 50, folders: 200, bytes: 100 }

function file(path: string, size = 0) {
  return { path, kind: 'file', size, mode: 0o644, mtime: 0 } as const
}

function folder(path: string) {
  return { ...file(path), kind: 'folder' } as const
}

/** A checker that has seen the root. */
function checker(manifest = MANY): EntryChecker {
  const made = new EntryChecker(manifest)
  assert.equal(made.accept(folder('f')), '')
  return made
}

const invalid = (message: RegExp) => ({ code: 'ARCHIVE_INVALID', message })

test('entries get their path below the root', () => {
  const entries = checker({ root: 'f', files: 2, folders: 1, bytes: 7 })
  assert.equal(entries.accept(folder('f/d')), 'd')
  assert.equal(entries.accept(file('f/d/a', 3)), 'd/a')
  assert.equal(entries.accept(file('f/مرحبا 👩‍🚀', 4)), 'مرحبا 👩‍🚀')
  entries.finish()
})

const unsafe: [string, RegExp][] = [
  ['../x', /leads out of its folder/],
  ['f/../x', /leads out of its folder/],
  ['f/./x', /leads out of its folder/],
  ['/etc/passwd', /begins with a slash/],
  ['f//x', /empty name/],
  ['f/', /empty name/],
  ['', /empty name/],
  ['g/x', /not below "f"/],
  ['f', /before its folder/],
  ['f/another format/x', /before its folder/],
  ['f/a\nb', /unsafe/],
  ['f/a\0b', /unsafe/],
  ['f/a\\b', /unsafe/],
  ['f/\u202Etxt.exe', /unsafe/],
  ['f/\uFEFFa', /unsafe/],
  [`f/${'n'.repeat(256)}`, /more than 255 bytes/],
  [`f/${'é'.repeat(128)}`, /more than 255 bytes/],
  [`f/${'d/'.repeat(100)}x`, /folders deep/],
  [`f/${`${'d'.repeat(200)}/`.repeat(11)}x`, /path of more than/],
]
for (const [path, message] of unsafe) {
  test(`a file ${JSON.stringify(path.slice(0, 30))} is refused`, () => {
    assert.throws(() => checker().accept(file(path)), invalid(message))
  })
}

test('paths that occur twice, or that a file system may treat as one, are refused', () => {
  for (const [first, second] of [
    ['f/a', 'f/a'],
    ['f/a', 'f/A'],
    ['f/É', 'f/e\u0301'],
  ] as const) {
    const entries = checker()
    entries.accept(file(first))
    assert.throws(() => entries.accept(file(second)), invalid(/twice/))
    assert.throws(() => entries.accept(folder(second)), invalid(/twice/))
  }
  assert.throws(() => checker().accept(folder('f')), invalid(/twice/))
})

test('a file cannot contain entries', () => {
  const entries = checker()
  entries.accept(file('f/a'))
  assert.throws(() => entries.accept(file('f/a/b')), invalid(/before its folder/))
})

test('totals that differ from the manifest are refused', () => {
  const manifest = { root: 'f', files: 1, folders: 1, bytes: 3 }
  for (const extra of [file('f/b'), folder('f/e'), file('f/d/c', 1)]) {
    const entries = checker(manifest)
    entries.accept(folder('f/d'))
    entries.accept(file('f/a', 3))
    entries.finish()
    assert.throws(() => entries.accept(extra), invalid(/manifest/))
  }
  assert.throws(() => checker(manifest).accept(file('f/a', 4)), invalid(/manifest/))
  assert.throws(() => checker(manifest).finish(), invalid(/manifest/))
  assert.throws(
    () => new EntryChecker({ root: 'f', files: 0, folders: 0, bytes: 0 }).finish(),
    invalid(/manifest/),
  )
})

test('a manifest with too many entries, or a root that is not a name, is refused', () => {
  const files = FIXED_LIMITS.folderEntries.value + 1
  assert.throws(() => new EntryChecker({ root: 'f', files, folders: 0, bytes: 0 }), invalid(/allowed/))
  for (const root of ['', '..', '/f', 'a/../b'])
    assert.throws(() => new EntryChecker({ ...MANY, root }), invalid(/./), root)
})

test('a manifest is read back, and an invalid one is refused', () => {
  assert.deepEqual(decodeManifest(encodeManifest(MANY)), MANY)
  const texts: [string, RegExp][] = [
    ['x', /JSON/],
    ['null', /another format/],
    ['[]', /another format/],
    ['{}', /another format/],
    ['{"format":"pilot-folder","version":2}', /version 2/],
    ['{"format":"pilot-folder","version":1,"root":"f"}', /missing or invalid/],
    [
      '{"format":"pilot-folder","version":1,"root":"f","files":-1,"folders":0,"bytes":0}',
      /missing or invalid/,
    ],
  ]
  for (const [text, message] of texts) assert.throws(() => decodeManifest(utf8(text)), invalid(message), text)
})

test('a path that is too long or too deep is described', () => {
  assert.equal(pathExcess('a/b'), undefined)
  assert.match(pathExcess('a/'.repeat(100)) ?? '', /deep/)
  assert.match(pathExcess('x'.repeat(2049)) ?? '', /2048 bytes/)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFileName, encodeFilePrefix, fileNameLength } from '#lib/wire/file.js'
import { fromHex, hex } from '../../../../test/helpers/vectors.js'

test('[frame.file-layout] the name goes after its length', () => {
  assert.equal(hex(encodeFilePrefix('é.txt')), '0006c3a92e747874')
  assert.equal(hex(encodeFilePrefix('')), '0000')
})

test('[frame.file-name-write] 255 bytes of UTF-8 can be written, 256 cannot', () => {
  assert.equal(encodeFilePrefix(`${'é'.repeat(127)}n`).length, 2 + 255)
  const tooLong = 'é'.repeat(128)
  assert.throws(() => encodeFilePrefix(tooLong), { name: 'WireError', code: 'FILENAME_TOO_LONG' })
})

test('a name that would make a receiver end the connection is not written', () => {
  for (const name of ['.', '..', 'a/b', 'a\\b', '/', '\\', '../x']) {
    assert.throws(() => encodeFilePrefix(name), { name: 'WireError', code: 'FILENAME_UNSAFE' }, name)
  }
})

test('[frame.file-lying-name] [frame.file-short] a name must fit its payload', () => {
  assert.equal(fileNameLength(fromHex('0003'), 5), 3)
  assert.equal(fileNameLength(fromHex('0003'), 4), undefined)
  assert.equal(fileNameLength(fromHex('00'), 1), undefined)
  assert.equal(fileNameLength(fromHex(''), 0), undefined)
})

test('[frame.file-name-length] a name over 255 bytes is an error, unless it does not fit the payload', () => {
  assert.equal(fileNameLength(fromHex('00ff'), 1000), 255)
  assert.throws(() => fileNameLength(fromHex('0100'), 1000), { code: 'FILENAME_TOO_LONG' })
  assert.equal(fileNameLength(fromHex('ffff'), 1000), undefined)
})

test('[frame.file-name-utf8] a name is strict UTF-8', () => {
  for (const bytes of ['ff', 'c3', 'c080', 'eda080', 'f4908080']) {
    assert.throws(() => decodeFileName(fromHex(bytes)), { code: 'FILENAME_NOT_UTF8' }, bytes)
  }
  assert.equal(decodeFileName(fromHex('e697a5')), '日')
})

test('a byte order mark belongs to the name', () => {
  assert.equal(decodeFileName(fromHex('efbbbf61')), '\ufeffa')
  assert.equal(hex(encodeFilePrefix('\ufeffa')), '0004efbbbf61')
})

test('[frame.file-name-separators] [frame.file-name-dots] a path is not a name', () => {
  for (const name of ['.', '..', 'a/b', 'a\\b', '/etc/passwd', '..\\x']) {
    assert.throws(() => decodeFileName(Buffer.from(name)), { code: 'FILENAME_UNSAFE' }, name)
  }
})

test('[frame.file-name-free] [frame.file-name-dots] any other name is valid', () => {
  for (const name of ['...', '.env', 'a\0b', '\n', ' ', '-rf', '~', 'C:x', 'CON', '\u202egnp.exe', 'a.']) {
    assert.equal(decodeFileName(Buffer.from(name)), name)
  }
})

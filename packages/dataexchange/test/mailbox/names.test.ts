import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fileTimestamp } from '#lib/clock.js'
import { messageAge, messageFileName, receivedFileName } from '#lib/mailbox/names.js'

const AT = 1_767_225_599_007_008_009n
const STAMP = fileTimestamp(AT)
const UNIQUE = `-${STAMP}-000001`

test('[inbox.name] [inbox.name-seq] messages: NAME, local time, number', () => {
  assert.equal(messageFileName('TEXT', AT, 1), `TEXT-${STAMP}-000001.json`)
  assert.equal(messageFileName('BINARY', AT, 999_999), `BINARY-${STAMP}-999999.json`)
  assert.equal(messageFileName('JSON', AT, 1_234_567), `JSON-${STAMP}-1234567.json`)
  assert.equal(messageFileName('UNKNOWN(6)', AT, 2), `UNKNOWN(6)-${STAMP}-000002.json`)
  assert.equal(messageFileName('../a b', AT, 2), `___a_b-${STAMP}-000002.json`)
})

const TABLE: [sent: string, base: string, ext: string][] = [
  ['report.pdf', 'report', '.pdf'],
  ['report.tar.gz', 'report.tar', '.gz'],
  ['README', 'README', ''],
  ['', 'unnamed', ''],
  ['.env', '_', '.env'],
  ['..env', '_', '.env'],
  ['a.', 'a', '_'],
  ['a. ', 'a', '__'],
  ['a.b. ', 'a.b', '__'],
  ['a..', 'a_', '_'],
  ['...', '__', '_'],
  ['a .txt', 'a_', '.txt'],
  ['-rf', '_rf', ''],
  ['--help.txt', '__help', '.txt'],
  ['.-x.y', '__x', '.y'],
  ['../../etc/passwd', '____', '._etc_passwd'],
  ['a/b\\c.txt', 'a_b_c', '.txt'],
  ['x.a/b', 'x', '.a_b'],
  ['line\nfeed\ttab\u001b[31m.txt', 'line_feed_tab_[31m', '.txt'],
  ['nul\0.txt', 'nul_', '.txt'],
  ['del\u007f c1\u0085.t\u009b', 'del_ c1_', '.t_'],
  ['evil\u202Egpj.exe', 'evil_gpj', '.exe'],
  ['\u2066a\u2069\u200e\u200f\u061c.b', '_a____', '.b'],
  ['a\u200Bb\u200Cc\u200Dd\u2060e\uFEFF.txt', 'a_b_c_d_e_', '.txt'],
  ['a\u2028b\u2029.txt', 'a_b_', '.txt'],
  ['a\uD800b.\uDC00', 'a_b', '._'],
  ['smile 😀.png', 'smile 😀', '.png'],
  ['Ünïcödé 名前.txt', 'Ünïcödé 名前', '.txt'],
  ['CON', '_CON', ''],
  ['con.txt', '_con', '.txt'],
  ['Aux.tar.gz', '_Aux.tar', '.gz'],
  ['COM1.x', '_COM1', '.x'],
  ['lpt9', '_lpt9', ''],
  ['COM0', 'COM0', ''],
  ['CONSOLE.txt', 'CONSOLE', '.txt'],
  ['my.con', 'my', '.con'],
  ['NUL ', 'NUL_', ''],
  ['100% $(rm -rf ~) `x` ;|&.sh', '100% $(rm -rf ~) `x` ;|&', '.sh'],
]

for (const [sent, base, ext] of TABLE) {
  test(`[received.ext] [received.ext-dotfile] [received.ext-none] received: ${JSON.stringify(sent)}`, () => {
    assert.equal(receivedFileName(sent, AT, 1), `${base}${UNIQUE}${ext}`)
  })
}

test('received: long names are cut between code points, and keep their extension', () => {
  const long = receivedFileName(`${'é'.repeat(200)}.txt`, AT, 1)
  assert.ok(Buffer.byteLength(long) <= 244 && Buffer.byteLength(long) > 239)
  assert.match(long, /^é+-.*-000001\.txt$/)

  const emoji = receivedFileName(`${'😀'.repeat(100)}.jpeg`, AT, 1_234_567_890)
  assert.ok(Buffer.byteLength(emoji) <= 244)
  assert.match(emoji, /^(😀)+-.*-1234567890\.jpeg$/u)

  const allExt = receivedFileName(`.${'x'.repeat(60_000)}`, AT, 1)
  assert.ok(Buffer.byteLength(allExt) <= 244 && Buffer.byteLength(allExt) > 239)

  const both = receivedFileName(`${'b'.repeat(300)}.${'e'.repeat(300)}`, AT, 1)
  assert.ok(Buffer.byteLength(both) <= 244)
  assert.match(both, /^b{100,}-.*-000001\.e{100,}$/)

  const dotAtTheCut = receivedFileName(`${'b'.repeat(300)}.${'. '.repeat(300)}`, AT, 1)
  assert.ok(Buffer.byteLength(dotAtTheCut) <= 244)
  assert.match(dotAtTheCut, /[^. ]$/)
})

test('received: the name is always safe, short, and unique by its number', () => {
  const naughty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
      .map(units => String.fromCharCode(...units)),
    fc
      .array(fc.constantFrom('.', ' ', '-', '/', '\\', 'CON', 'nul', '\u202e', '😀', 'é', '\0', 'a'), {
        maxLength: 200,
      })
      .map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(naughty, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }), (sent, seq) => {
      const name = receivedFileName(sent, AT, seq)
      assert.ok(Buffer.byteLength(name) <= 244)
      assert.doesNotMatch(name, /[\p{Cc}\p{Cf}\p{Cs}/\\]/u)
      assert.doesNotMatch(name, /^\.|[. ]$/)
      assert.doesNotMatch(name, /^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)/i)
      assert.ok(name.includes(STAMP))
      assert.notEqual(name, receivedFileName(sent, AT, seq + 1))
    }),
    { numRuns: 1000 },
  )
})

test('age: by time and number in the name, whatever the type, else by the modification time', () => {
  const inOrder = [
    'old.json',
    'TEXT-20260101-000000.000-000002.json',
    'BINARY-20260101-000000.000-000010.json',
    'JSON-20260101-000000.000-1000000.json',
    'BINARY-20260101-000000.001-000001.json',
    'new.json',
  ]
  const mtime = (name: string) => new Date(name === 'old.json' ? 2025 : 2027, 0).getTime()
  const sorted = [...inOrder].sort((a, b) => (messageAge(a, mtime(a)) < messageAge(b, mtime(b)) ? -1 : 1))
  assert.deepEqual(sorted, inOrder)
})

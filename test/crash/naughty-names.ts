import type { Random } from './random.js'

/** File names as a sender may put them into a frame, without an end: first every one that is known for harm. */
export function* naughtyNames(random: Random): Generator<Buffer> {
  for (const text of KNOWN) yield Buffer.from(text)
  for (const hex of NOT_UTF8) yield Buffer.from(hex, 'hex')
  for (const length of LENGTHS)
    for (const unit of UNITS) yield Buffer.from(unit.repeat(length)).subarray(0, length)
  for (;;) yield anyName(random)
}

const CONTROLS = Array.from({ length: 0xa0 }, (_, code) => code).filter(code => code < 0x20 || code > 0x7e)
const FORMATS = [
  ...[0xad, 0x61c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c],
  ...[0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xfff9, 0xe0001, 0xe0041],
]
const DEVICES = [
  'CON',
  'con',
  'PRN',
  'AUX',
  'NUL',
  'nUl',
  'COM1',
  'COM9',
  'COM¹',
  'LPT1',
  'LPT³',
  'CONIN$',
  'CLOCK$',
]
const TRAVERSALS = [
  ...[
    '.',
    '..',
    '...',
    '/',
    '\\',
    '//',
    '../',
    '..\\',
    '../../etc/passwd',
    '..\\..\\boot.ini',
    '/etc/passwd',
  ],
  ...[
    'C:\\Windows\\x',
    'C:',
    'a/../b',
    './a',
    'a/',
    '/a',
    '%2e%2e%2f',
    '..%2f',
    '..;/',
    '~',
    '~root',
    '\u2215',
    '\uff0f',
  ],
  ...[
    '.\u200b.',
    '\u2024\u2024',
    '．．',
    '\\\\host\\share',
    'file:///etc/passwd',
    'a\0/../b',
    '..\0',
    '.tmp',
    '.TMP',
  ],
]
const SHELL = [
  ...[
    '-rf',
    '--',
    '-',
    '--help',
    '*',
    '?',
    '$(id)',
    '`id`',
    '; rm -rf ~',
    '| cat',
    '&& true',
    '> out',
    '"',
    "'",
    '!',
  ],
  ...[
    '$HOME',
    '#',
    '%s%n',
    '<script>',
    "' OR 1=1",
    'a\tb',
    'a\nb',
    'a\r\nb',
    '\u001b[31mred',
    '\u001b]0;x\u0007',
  ],
]
const DOTS = [
  ...[
    '',
    ' ',
    '.',
    '.env',
    '.bashrc',
    '..a',
    'a.',
    'a..',
    'a. ',
    'a .',
    ' a',
    'a ',
    '.a.',
    'a.b.',
    '. ',
    ' .',
    'a.b ',
  ],
  ...[
    'a.tar.gz',
    '.tar.gz',
    'a.',
    'no-ext',
    '-.txt',
    '.-',
    '-.',
    '_',
    '__proto__',
    'constructor',
    'null',
    'undefined',
  ],
]
const STAMPS = [
  ...[
    'TEXT-20260101-000000.000-000001.json',
    'a-20260101-000000.000-000001.txt',
    'a.tmp',
    'a.partial',
    '.partial',
  ],
  ...[
    '.nfs0001',
    '.DS_Store',
    'Thumbs.db',
    'desktop.ini',
    'lost+found',
    '.tmp/../x',
    'a.json',
    'inbox',
    'received',
  ],
]
const SCRIPTS = [
  ...[
    'ÅÍÎÏ˝ÓÔ',
    '部落格.txt',
    '사회과학원.bin',
    'Ⱥ.Ⱦ',
    'مُنَاقَشَة.pdf',
    'בְּרֵאשִׁית.doc',
    'ﷺ.txt',
    'ʇǝ.ɯnsdᴉ',
    '𝕿𝖍𝖊.txt',
  ],
  ...[
    '👨‍👩‍👧‍👦.png',
    '🏳️‍🌈',
    '🇺🇳.jpg',
    '👩🏽.gif',
    'e\u0301.txt',
    '\u00e9.txt',
    'Z\u0351\u036b\u0343\u036a.a',
    '\ud7ff.x',
    '\u{10ffff}',
    '\uffff',
  ],
]

const KNOWN: readonly string[] = [
  ...TRAVERSALS,
  ...SHELL,
  ...DOTS,
  ...STAMPS,
  ...SCRIPTS,
  ...DEVICES.flatMap(name => [
    name,
    `${name}.txt`,
    `${name}.`,
    `${name} `,
    `.${name}`,
    `-${name}`,
    `${name}:x`,
    `a.${name}`,
  ]),
  ...[...CONTROLS, ...FORMATS].flatMap(code => {
    const char = String.fromCodePoint(code)
    return [char, `a${char}b.txt`, `a.t${char}xt`, `${char}.txt`, `txt.${char}`]
  }),
]
/** Overlong, cut short, surrogates, beyond the last code point, stray continuations. */
const NOT_UTF8: readonly string[] = [
  ...[
    'ff',
    'fe',
    '80',
    'bf',
    'c0af',
    'c080',
    'e080af',
    'f08080af',
    'eda080',
    'edbfbf',
    'f4908080',
    'c3',
    'e282',
  ],
  ...['f09f98', '61ff62', '2e2eff', 'fffe', 'c32e74', 'f8888080 80'.replace(' ', ''), 'e29f2e747874'],
]
const LENGTHS = [
  1, 2, 100, 222, 223, 230, 231, 253, 254, 255, 256, 257, 300, 1_000, 4_096, 32_767, 65_534, 65_535,
]
const UNITS = ['x', '.', '-', 'a.', '.a', ' ', 'é', '部', '😀', '\u202e', '\0', 'x.tar.gz']

function anyName(random: Random): Buffer {
  const draw = random.next()
  if (draw < 0.1) return random.bytes(random.integer(0, 40))
  if (draw < 0.15) return random.bytes(random.integer(0, 65_535))
  if (draw < 0.2)
    return Buffer.from(`${'b'.repeat(random.integer(0, 40))}.${'e'.repeat(random.integer(0, 260))}`)
  const parts = Array.from({ length: random.integer(1, 4) }, () => random.pick(KNOWN))
  const name = Buffer.from(parts.join(random.pick(['', '.', ' ', 'x'])))
  return draw < 0.9 ? name.subarray(0, 255) : name
}

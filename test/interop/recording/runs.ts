/**
 * Bytes as text that is small and can be read: hexadecimal digits; `'text'` for printable characters; and
 * `(word+step*length)` for `length` bytes of big-endian words of 32 bits, each `step` more than the one before.
 * Contents that are made so are small in a transcript at any size.
 */
export function pack(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let text = ''
  let written = 0
  let at = 0
  const take = (length: number, short: string) => {
    text += buffer.toString('hex', written, at) + short
    at += length
    written = at
  }
  while (at < buffer.length) {
    const inRun = runLength(buffer, at)
    const inText = inRun >= SHORTEST_RUN ? 0 : textLength(buffer, at)
    if (inRun >= SHORTEST_RUN) {
      const { word, step } = runAt(buffer, at)
      take(inRun, `(${hexWord(word)}+${hexWord(step)}*${inRun})`)
    } else if (inText >= SHORTEST_TEXT) {
      take(inText, `'${buffer.toString('latin1', at, at + inText)}'`)
    } else {
      at++
    }
  }
  return text + buffer.toString('hex', written)
}

/** The bytes of {@link pack}. */
export function unpack(text: string): Buffer {
  const pieces = [...text.matchAll(/'([^']*)'|\((\w{8})\+(\w{8})\*(\d+)\)|([0-9a-f]+)/g)].map(
    ([, plain, word, step, length, digits]) => {
      if (plain !== undefined) return Buffer.from(plain, 'latin1')
      if (digits !== undefined) return Buffer.from(digits, 'hex')
      return run(Number.parseInt(word ?? '', 16), Number.parseInt(step ?? '', 16), Number(length))
    },
  )
  return Buffer.concat(pieces)
}

/** Content for files and messages, of which {@link pack} makes a few characters; another one for each `seed`. */
export function numbered(length: number, seed = 1): Buffer {
  return run(Math.imul(seed, FIRST) >>> 0, STEP, length)
}

const FIRST = 0x9e3779b1
const STEP = 0x85ebca77
/** Shorter ones are written as they are. */
const SHORTEST_RUN = 24
const SHORTEST_TEXT = 4

function run(word: number, step: number, length: number): Buffer {
  const bytes = Buffer.alloc(length + 3)
  let value = word
  for (let at = 0; at < length; at += 4) {
    bytes.writeUInt32BE(value, at)
    value = (value + step) >>> 0
  }
  return bytes.subarray(0, length)
}

function runAt(buffer: Buffer, at: number): { word: number; step: number } {
  const word = buffer.readUInt32BE(at)
  return { word, step: (buffer.readUInt32BE(at + 4) - word) >>> 0 }
}

/** How many bytes from `at` on are one run. */
function runLength(buffer: Buffer, at: number): number {
  if (at + SHORTEST_RUN > buffer.length) return 0
  const { word, step } = runAt(buffer, at)
  let value = word
  let end = at
  while (end + 4 <= buffer.length && buffer.readUInt32BE(end) === value) {
    value = (value + step) >>> 0
    end += 4
  }
  for (let shift = 24; end < buffer.length && buffer[end] === ((value >>> shift) & 0xff); shift -= 8) end++
  return end - at
}

/** How many bytes from `at` on are printable, until a run begins. */
function textLength(buffer: Buffer, at: number): number {
  let end = at
  while (end < buffer.length && isPlain(buffer[end] ?? 0)) {
    if (end > at && runLength(buffer, end) >= SHORTEST_RUN) break
    end++
  }
  return end - at
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== APOSTROPHE
}

const APOSTROPHE = 0x27

function hexWord(value: number): string {
  return value.toString(16).padStart(8, '0')
}

/**
 * `bytes` as valid UTF-8. Every byte outside of a valid sequence becomes U+FFFD `[inbox.data-replacement]`, as in
 * Go's conversion to text, which readers of the original's inbox know. A TextDecoder would replace a whole broken
 * sequence by one U+FFFD. A byte order mark is kept.
 */
export function lossyUtf8(bytes: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(lossyLength(bytes))
  let at = 0
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    if (length === 0) {
      at += out.write('\uFFFD', at)
      i++
    } else {
      for (const end = i + length; i < end; i++) out[at++] = bytes[i]!
    }
  }
  return out
}

/** The size of the result of {@link lossyUtf8}. */
export function lossyLength(bytes: Uint8Array): number {
  let count = 0
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    count += length === 0 ? 3 : length
    i += length === 0 ? 1 : length
  }
  return count
}

/** The longest prefix of `bytes` of at most `max` bytes that does not end inside a code point. */
export function cutAtCodePoint(bytes: Uint8Array, max: number): Uint8Array {
  if (bytes.length <= max) return bytes
  let end = max
  while (end > 0 && max - end < 3 && isContinuation(bytes[end])) end--
  return bytes.subarray(0, end)
}

/** The length of the valid sequence at `i`, or 0 if there is none. */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!
  if (lead < 0x80) return 1
  if (lead < 0xc2 || lead > 0xf4) return 0
  const second = bytes[i + 1]
  if (!isContinuation(second)) return 0
  if (lead < 0xe0) return 2
  // The second byte shows overlong forms, surrogates, and code points beyond U+10FFFF.
  if (second < (SECOND_FROM[lead] ?? 0x80) || second > (SECOND_TO[lead] ?? 0xbf)) return 0
  if (!isContinuation(bytes[i + 2])) return 0
  if (lead < 0xf0) return 3
  return isContinuation(bytes[i + 3]) ? 4 : 0
}

function isContinuation(byte: number | undefined): byte is number {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf
}

const SECOND_FROM: Record<number, number> = { 224: 0xa0, 240: 0x90 }
const SECOND_TO: Record<number, number> = { 237: 0x9f, 244: 0x8f }

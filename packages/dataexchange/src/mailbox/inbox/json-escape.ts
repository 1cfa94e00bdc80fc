/** The size of UTF-8 `bytes` inside a JSON string. */
export function escapedLength(bytes: Uint8Array): number {
  let length = bytes.length
  for (let i = 0; i < bytes.length; i++) length += EXTRA[bytes[i]!]!
  return length
}

/**
 * Escapes UTF-8 `bytes` for a JSON string, and returns `bytes` itself if nothing needs escaping. It works on bytes
 * and on any piece of a text, so that a text of hundreds of MiB never becomes one string.
 *
 * @param length the {@link escapedLength} of `bytes`, if known
 */
export function escapeJson(bytes: Uint8Array, length: number = escapedLength(bytes)): Uint8Array {
  if (length === bytes.length) return bytes
  const out = Buffer.allocUnsafe(length)
  let at = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    const extra = EXTRA[byte]!
    if (extra === 0) out[at++] = byte
    else for (let from = byte * LONGEST, end = from + extra; from <= end; from++) out[at++] = ESCAPES[from]!
  }
  return out
}

const LONGEST = '\\u0000'.length
/** The escapes of control characters, quote and backslash, at the byte's value times {@link LONGEST}. */
const ESCAPES = new Uint8Array(256 * LONGEST)
/** The additional bytes for each byte. */
const EXTRA = new Uint8Array(256)
for (const byte of [...Array(0x20).keys(), 0x22, 0x5c]) {
  const escaped = Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1))
  ESCAPES.set(escaped, byte * LONGEST)
  EXTRA[byte] = escaped.length - 1
}

/**
 * Makes text of a peer safe for one line of a terminal: writes control characters, bidi overrides, and zero-width and
 * other invisible characters as escapes.
 */
export function safeLine(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/** The same for several lines: keeps line feeds and tabs. */
export function safeBlock(text: string): string {
  return text.replace(UNSAFE, character =>
    /[\n\t]/.test(character) ? character : escapeCharacter(character),
  )
}

/** `value` as one line of JSON in which the same characters are written as `\uXXXX`. */
export function safeJson(value: unknown): string {
  return escapeJsonText(JSON.stringify(value))
}

/** Makes a JSON text safe in the same way. Keeps line feeds. */
export function escapeJsonText(json: string): string {
  return json.replace(UNSAFE, character =>
    character === '\n'
      ? character
      : character
          .split('')
          .map(unit => `\\u${hex(unit.charCodeAt(0), 4)}`)
          .join(''),
  )
}

/** `text`, cut to `length` code points, with an ellipsis where something was cut. */
export function shorten(text: string, length: number): string {
  // Splits only as many UTF-16 units as the code points can need, not the whole text.
  const points = [...text.slice(0, 2 * length + 2)]
  return points.length > length ? `${points.slice(0, length).join('')}…` : text
}

// Controls, format characters (bidi, zero-width), lone surrogates, line and paragraph separators.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return SHORT[character] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`)
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

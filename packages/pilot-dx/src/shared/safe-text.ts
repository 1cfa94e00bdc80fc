/**
 * `text` for one line of a terminal: control characters, bidi overrides, zero-width and other invisible ones
 * are written as escapes. What peers send is shown through this.
 */
export function safeLine(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/** The same for text of several lines: line feeds and tabs stay. */
export function safeBlock(text: string): string {
  return text.replace(UNSAFE, character =>
    /[\n\t]/.test(character) ? character : escapeCharacter(character),
  )
}

/** `value` as one line of JSON in which the same characters are written as `\uXXXX`. */
export function safeJson(value: unknown): string {
  return escapeJsonText(JSON.stringify(value))
}

/** A text that is JSON already, made safe in the same way; its line feeds stay. */
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
  // Enough UTF-16 units for the code points wanted, so that a long text is not taken apart whole.
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

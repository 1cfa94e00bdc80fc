import { createHash } from 'node:crypto'
import { pack } from './runs.js'
import type { Home, Whose } from './transcript.js'

/** The files of a home that go into a transcript after the test. */
export interface RecordedHome {
  readonly address: string
  readonly daemon: Whose
  readonly service?: Whose
  messages(): Record<string, unknown>[]
  files(): Map<string, Buffer>
}

export function homeOf(home: RecordedHome): Home {
  const { address, daemon, service } = home
  return {
    address,
    daemon,
    ...(service === undefined ? {} : { service }),
    inbox: home.messages().map(shortened) as Record<string, unknown>[],
    received: receivedOf(home.files()),
  }
}

export function receivedOf(files: Map<string, Buffer>): Home['received'] {
  return [...files].map(([name, content]) => ({ name, content: pack(content) }))
}

/** Long texts in short: their length and their hash. */
export function shortened(value: unknown): unknown {
  return mapTexts(value, text => {
    if (text.length <= LONGEST_TEXT) return text
    return `${text.length} characters, sha256 ${createHash('sha256').update(text).digest('hex')}`
  })
}

/** `$DIR` in place of `dir`. */
export function withoutFolder<T>(value: T, dir: string): T {
  return shortened(mapTexts(value, text => text.replaceAll(dir, '$DIR'))) as T
}

/** A JSON value with each of its texts replaced. */
export function mapTexts(
  value: unknown,
  replace: (text: string, key?: string) => unknown,
  key?: string,
): unknown {
  if (typeof value === 'string') return replace(value, key)
  if (Array.isArray(value)) return value.map(item => mapTexts(item, replace, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, mapTexts(item, replace, name)]),
  )
}

const LONGEST_TEXT = 300

import parse from 'parse-duration'
import { InvalidArgumentError } from '../commander.ts'

/** Parses a duration such as `1h30m`, in ms. A unit is mandatory, because a bare number is ambiguous. */
export function duration(text: string): number {
  // The parser finds durations in any text, so the text must hold nothing else.
  const ms = /^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(text) ? parse(text) : null
  if (ms !== null && Number.isFinite(ms)) return ms
  const reason = /^\d+(\.\d+)?$/.test(text) ? `Say the unit: ${text}s, ${text}m or ${text}h` : DURATION_FORM
  throw new InvalidArgumentError(reason)
}

/** Parses a duration over zero. */
export function positiveDuration(text: string): number {
  const ms = duration(text)
  if (ms > 0) return ms
  throw new InvalidArgumentError('The value must be more than zero.')
}

/** Parses a duration of at most `longest`. */
export function atMost(read: (text: string) => number, longest: string): (text: string) => number {
  return text => {
    const ms = read(text)
    if (ms <= duration(longest)) return ms
    throw new InvalidArgumentError(`The value must be ${longest} or less.`)
  }
}

/** Parses a duration before now, or a time in RFC 3339, as ms since the Unix epoch. */
export function moment(text: string): number {
  if (/^\d{4}-/.test(text)) {
    const ms = RFC3339.test(text) ? Date.parse(text) : Number.NaN
    if (!Number.isNaN(ms)) return ms
    throw new InvalidArgumentError('A time looks like 2026-01-31T12:00:00Z or 2026-01-31T12:00:00+01:00.')
  }
  return Date.now() - duration(text)
}

/** Parses a size such as `64MiB`, in bytes. A bare number is bytes. */
export function size(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text) ?? []
  const bytes = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN)
  if (Number.isInteger(Math.round(bytes)) && bytes >= 1) return Math.round(bytes)
  throw new InvalidArgumentError('A size looks like 64MiB, 1.5GiB or 65536 (bytes), and is not zero.')
}

/** Parses `off` as a negative value, which means no limit in the library. */
export function orOff(read: (text: string) => number): (text: string) => number {
  return text => (text === 'off' ? -1 : read(text))
}

/** Parses a whole number of at least `min`. */
export function count(min: number): (text: string) => number {
  return text => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min) return value
    throw new InvalidArgumentError(`The value must be a whole number, ${min} or more.`)
  }
}

/** Parses a fraction over 0 and up to 1. */
export function part(text: string): number {
  const value = /^\d?\.?\d+$/.test(text) ? Number(text) : Number.NaN
  if (value > 0 && value <= 1) return value
  throw new InvalidArgumentError('The value must be a fraction of 1, such as 0.2.')
}

const DURATION_FORM = 'A duration looks like 90s, 15m, 1h30m or 7d.'
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
const UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

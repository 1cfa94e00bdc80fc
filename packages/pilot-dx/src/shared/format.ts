import type { Limit } from 'pilot-dataexchange'
import prettyBytes from 'pretty-bytes'

/** Formats `rows` in columns, two spaces apart, with numbers to the right. Does not pad the last cell of a row. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length)
    })
  }
  return rows
    .map(row =>
      row
        .map((cell, i) => pad(cell, widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Formats names and values, one pair a line, with aligned values. */
export function facts(pairs: readonly (readonly [string, string])[]): string {
  return table(pairs.map(([name, value]) => [name && `${name}:`, value]))
}

/** Formats a size: `1.5 MiB`. */
export function bytesText(bytes: number): string {
  return Number.isFinite(bytes) ? prettyBytes(bytes, { binary: true }) : 'no limit'
}

/** Formats a duration in ms in its two largest units: `3d 4h`, `12s`. */
export function durationText(ms: number): string {
  let rest = Math.floor(ms / 1000)
  const parts: string[] = []
  for (const [unit, seconds] of UNITS) {
    if (rest >= seconds || (unit === 's' && parts.length === 0))
      parts.push(`${Math.floor(rest / seconds)}${unit}`)
    rest %= seconds
  }
  return parts.slice(0, 2).join(' ')
}

/** Formats the value of a limit exactly: `256 MiB`, `90 s`, `1,000`, `25 %`, `none`. */
export function limitText({ value, unit }: Pick<Limit, 'value' | 'unit'>): string {
  if (value === Number.POSITIVE_INFINITY) return 'none'
  if (unit === 'part') return `${value * 100} %`
  if (unit === 'ms') return value >= 1000 ? `${value / 1000} s` : `${value} ms`
  if (unit === 'count') return value.toLocaleString('en')
  const [size, name] = SIZES.find(([size]) => value % size === 0) ?? [1, 'bytes']
  return `${value / size} ${name}`
}

/** Formats a time, in ms since the Unix epoch, in the local zone: `2026-01-31 12:00:00`. */
export function timeText(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `count` and its noun: `1 message`, `2 messages`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
]

const SIZES: readonly (readonly [number, string])[] = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
]

function pad(cell: string | number, width: number): string {
  return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width)
}

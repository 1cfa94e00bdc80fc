/**
 * Returns the wall clock in nanoseconds since the Unix epoch. The system clock of Node has milliseconds; between two of
 * them the monotonic clock counts on, so that calls within one millisecond differ. The result always lies within the
 * current millisecond of the system clock: another program may compare its own time with it, and each call corrects
 * the offset. If the system clock is set back, the result goes back, too.
 */
export function wallClockNs(): bigint {
  const earliest = systemClockNs()
  const now = process.hrtime.bigint()
  const latest = systemClockNs() + NS_PER_MS - 1n
  const refined = anchorWall + (now - anchorMonotonic)
  if (refined >= earliest && refined <= latest) return refined
  anchorWall = refined < earliest ? earliest : latest
  anchorMonotonic = now
  return anchorWall
}

/** Formats `ns` as RFC 3339 with nine fractional digits, in the local zone (`Z` if its offset is zero). */
export function rfc3339(ns: bigint): string {
  const at = localTime(ns)
  const fraction = pad(Number(ns % NS_PER_S), 9)
  return `${at.year}-${at.month}-${at.day}T${at.hour}:${at.minute}:${at.second}.${fraction}${at.offset}`
}

/** Formats `ns` for file names: `YYYYMMDD-HHMMSS.mmm`, in the local zone. */
export function fileTimestamp(ns: bigint): string {
  const at = localTime(ns)
  const ms = pad(Number((ns / NS_PER_MS) % 1000n), 3)
  return `${at.year}${at.month}${at.day}-${at.hour}${at.minute}${at.second}.${ms}`
}

const NS_PER_MS = 1_000_000n
const NS_PER_S = 1_000_000_000n
let anchorMonotonic = process.hrtime.bigint()
// Node's time origin may be tens of microseconds ahead. The first calls correct a clock that is late, but an answer
// whose timestamp is later than its arrival would be the worse mistake.
let anchorWall = BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000)) * 1000n - 100_000n

/** The system clock, which has whole milliseconds. */
function systemClockNs(): bigint {
  return BigInt(Date.now()) * NS_PER_MS
}

interface LocalTime {
  readonly year: string
  readonly month: string
  readonly day: string
  readonly hour: string
  readonly minute: string
  readonly second: string
  /** `Z`, or `+05:30`. */
  readonly offset: string
}

function localTime(ns: bigint): LocalTime {
  const second = Number(ns / NS_PER_S)
  const date = new Date(second * 1000)
  const offset = date.getTimezoneOffset()
  if (second !== lastSecond || offset !== lastOffset) {
    last = localTimeOf(date)
    lastSecond = second
    lastOffset = offset
  }
  return last
}

/** The last result: most calls are within the same second. */
let last: LocalTime = localTimeOf(new Date(0))
let lastSecond = 0
let lastOffset = new Date(0).getTimezoneOffset()

function localTimeOf(date: Date): LocalTime {
  return {
    year: pad(date.getFullYear(), 4),
    month: pad(date.getMonth() + 1, 2),
    day: pad(date.getDate(), 2),
    hour: pad(date.getHours(), 2),
    minute: pad(date.getMinutes(), 2),
    second: pad(date.getSeconds(), 2),
    offset: offsetText(-date.getTimezoneOffset()),
  }
}

function offsetText(minutesEast: number): string {
  if (minutesEast === 0) return 'Z'
  const minutes = Math.abs(minutesEast)
  return `${minutesEast < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}

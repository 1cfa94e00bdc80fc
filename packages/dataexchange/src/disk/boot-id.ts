import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** Returns an id of this boot of the machine: that of the system, or the time of the boot if the system has none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return `${BEGUN}${Math.round(Date.now() / 1000 - uptime())}`
  }
}

/**
 * Whether both ids are of the same boot: then no written data was lost in between. In doubt it is false, for example if
 * the clock was set.
 */
export function isSameBoot(one: string, other: string): boolean {
  if (!one.startsWith(BEGUN) || !other.startsWith(BEGUN)) return one === other
  return Math.abs(Number(one.slice(BEGUN.length)) - Number(other.slice(BEGUN.length))) <= ROUNDING_S
}

const BEGUN = 'began-'
const ROUNDING_S = 2

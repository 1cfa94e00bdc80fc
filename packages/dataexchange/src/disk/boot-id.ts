import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** What this boot of the machine is called: the system's name for it, or, where it gives none, when it began. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return `${BEGUN}${Math.round(Date.now() / 1000 - uptime())}`
  }
}

/**
 * Whether both are of one boot: then nothing was lost in between that had been written. In doubt false, such as where
 * the clock was set meanwhile.
 */
export function isSameBoot(one: string, other: string): boolean {
  if (!one.startsWith(BEGUN) || !other.startsWith(BEGUN)) return one === other
  return Math.abs(Number(one.slice(BEGUN.length)) - Number(other.slice(BEGUN.length))) <= ROUNDING_S
}

const BEGUN = 'began-'
const ROUNDING_S = 2

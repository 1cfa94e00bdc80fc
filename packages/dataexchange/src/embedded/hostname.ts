import { hostname } from 'node:os'
import { DriverError } from '../errors.ts'

/** Longest hostname, as of a label in DNS. */
const MAX_LENGTH = 63

/**
 * Returns `name` in lower case. A hostname has 1 to 63 letters, digits and hyphens, and no hyphen at either end.
 *
 * @throws {DriverError} DAEMON_REFUSED if `name` is not a hostname
 */
export function checkedHostname(name: string): string {
  const lower = name.toLowerCase()
  if (lower.length <= MAX_LENGTH && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(lower)) return lower
  throw new DriverError(
    'DAEMON_REFUSED',
    `${JSON.stringify(name.slice(0, 80))} is not a hostname: 1 to ${MAX_LENGTH} letters, digits and hyphens, no hyphen at either end`,
  )
}

/** The default hostname of a node: the first label of the machine's host name, made valid. */
export function defaultHostname(machine: string = hostname()): string {
  const label = machine.split('.')[0] ?? ''
  return trimmed(label.toLowerCase().replace(/[^a-z0-9-]+/g, '-')) || 'node'
}

/** The `count`th candidate for the hostname `name`: `name`, `name-2`, `name-3`, each of valid length. */
export function numberedHostname(name: string, count: number): string {
  if (count === 1) return name
  const suffix = `-${count}`
  return trimmed(name, MAX_LENGTH - suffix.length) + suffix
}

function trimmed(name: string, length: number = MAX_LENGTH): string {
  return name.replace(/^-+/, '').slice(0, length).replace(/-+$/, '')
}

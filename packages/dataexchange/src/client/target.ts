import type { WaitOptions } from '../async/wait.ts'
import { AddressError } from '../errors.ts'
import { Address, parseAddress } from '../pilot/address.ts'
import type { Resolver } from '../pilot/transport.ts'

/** A peer's name, which a daemon resolves to its address. In lower case: names do not differ by case. */
export interface Hostname {
  readonly hostname: string
}

/**
 * Parses the text by which a person names a peer: an address `N:NNNN.HHHH.LLLL`, a node id of network 0 in decimal
 * digits, or else a hostname. Every function that takes a target uses it. Asks nobody.
 *
 * @throws {AddressError} ADDRESS_INVALID for an empty text, a text with a colon that is not an address, and a node id
 * over 2³² - 1
 */
export function parseTarget(text: string): Address | Hostname {
  if (text.trim() === '') throw new AddressError('the target is empty')
  if (/^\d+$/.test(text)) return new Address(0, Number(text))
  return text.includes(':') ? parseAddress(text) : { hostname: text }
}

/**
 * The address of `target`. Only a hostname is resolved; the text of an address or of a node id is parsed, and an
 * `Address` is returned as it is.
 *
 * @throws {AddressError} ADDRESS_INVALID as of {@link parseTarget}, and for a hostname if `resolver` cannot resolve any
 * @throws {DriverError} DAEMON_REFUSED if the daemon does not know the hostname; those of `resolver`
 */
export async function resolveTarget(
  resolver: Partial<Resolver>,
  target: Address | string,
  options: WaitOptions = {},
): Promise<Address> {
  const parsed = typeof target === 'string' ? parseTarget(target) : target
  if (!('hostname' in parsed)) return parsed
  const { hostname } = parsed
  if (resolver.resolve !== undefined) return resolver.resolve(hostname, options)
  throw hostnameRefused(hostname, 'this driver does not resolve hostnames')
}

/**
 * The address in `target`, where nobody can be asked to resolve a hostname.
 *
 * @throws {AddressError} ADDRESS_INVALID as of {@link parseTarget}, and for a hostname
 */
export function addressOf(target: Address | string): Address {
  const parsed = typeof target === 'string' ? parseTarget(target) : target
  if (!('hostname' in parsed)) return parsed
  throw hostnameRefused(parsed.hostname, 'a hostname cannot be resolved here')
}

function hostnameRefused(hostname: string, why: string): AddressError {
  return new AddressError(
    `${JSON.stringify(hostname)} is a hostname, and ${why}; give the address, or resolve it first with resolveTarget()`,
  )
}

import type { WaitOptions } from '../async/wait.ts'
import { Address, parseAddress } from '../pilot/address.ts'
import type { Resolver } from '../pilot/transport.ts'

/**
 * Finds the address that a person means by `target`: an address `N:NNNN.HHHH.LLLL`, a bare node id (of
 * network 0, in decimal), or else a hostname, which the daemon resolves.
 *
 * @throws {AddressError} for what looks like an address and is none
 * @throws {DriverError} DAEMON_REFUSED for a hostname that the daemon does not know
 */
export async function resolveTarget(
  resolver: Resolver,
  target: string,
  options: WaitOptions = {},
): Promise<Address> {
  if (/^\d+$/.test(target)) return new Address(0, Number(target))
  if (target.includes(':')) return parseAddress(target)
  return resolver.resolve(target, options)
}

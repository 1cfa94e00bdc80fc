import { parseTarget } from '../client/target.ts'

/**
 * A key that tells one peer from another without asking a daemon: the address, or the hostname in lower case. A peer
 * that is named once by its address and once by its hostname has two keys.
 *
 * @throws {AddressError} ADDRESS_INVALID as of {@link parseTarget}
 */
export function peerKey(target: string): string {
  const parsed = parseTarget(target)
  return 'hostname' in parsed ? parsed.hostname.toLowerCase() : parsed.toString()
}

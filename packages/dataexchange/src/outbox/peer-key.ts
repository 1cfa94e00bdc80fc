import { resolveTarget } from '../client/target.ts'
import { AddressError } from '../errors.ts'
import { Address } from '../pilot/address.ts'

/**
 * What tells one peer from another before anybody is asked: the address, or the hostname. A peer that is named
 * once by its address and once by its hostname counts as two.
 *
 * @throws {AddressError} for a text that looks like an address and is none, and for an empty one
 */
export async function peerKey(target: string): Promise<string> {
  if (target.trim() === '') throw new AddressError('the target is empty')
  let isName = false
  const nobody = {
    resolve: async () => {
      isName = true
      return new Address(0, 0)
    },
  }
  const address = await resolveTarget(nobody, target)
  return isName ? target.toLowerCase() : address.toString()
}

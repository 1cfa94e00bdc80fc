import type { WaitOptions } from '../../async/wait.ts'
import type { Address } from '../../pilot/address.ts'
import type { Resolver, Stream, Streams } from '../../pilot/transport.ts'

/** What an outbox needs of a driver: `Driver` has it. */
export type Network = Pick<Streams, 'dial'> & Resolver

/** A network that is connected to when it is first used, and again after that failed: a daemon need not be there yet. */
export class LazyNetwork implements Network {
  readonly #connect: () => Promise<Network>
  #network: Promise<Network> | undefined

  constructor(connect: () => Promise<Network>) {
    this.#connect = connect
  }

  async dial(address: Address, port: number, options?: WaitOptions): Promise<Stream> {
    return (await this.#get()).dial(address, port, options)
  }

  async resolve(hostname: string, options?: WaitOptions): Promise<Address> {
    return (await this.#get()).resolve(hostname, options)
  }

  #get(): Promise<Network> {
    this.#network ??= this.#connect().catch(error => {
      this.#network = undefined
      throw error
    })
    return this.#network
  }
}

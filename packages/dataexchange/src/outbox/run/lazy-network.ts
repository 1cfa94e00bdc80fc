import type { WaitOptions } from '../../async/wait.ts'
import type { Address } from '../../pilot/address.ts'
import type { Resolver, Stream, Streams } from '../../pilot/transport.ts'

/** The part of a driver that an outbox needs. `Driver` implements it. */
export type Network = Pick<Streams, 'dial'> & Resolver

/** Connects on first use, and again after a failure: the daemon need not run yet. */
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

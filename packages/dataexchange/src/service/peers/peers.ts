import { FIXED_LIMITS } from '../../limits.ts'
import { ByteBudget } from './byte-budget.ts'
import { DescriptorReserve } from './descriptor-reserve.ts'
import { FairScheduler } from './fair-scheduler.ts'
import { RateLimiter, type Rates } from './rate-limiter.ts'
import { RefusalLimiter } from './refusal-limiter.ts'

/** What one peer has here, over all of its connections. */
export interface Peer {
  readonly budget: ByteBudget
  readonly rates: RateLimiter
  readonly refusalLimiter: RefusalLimiter
  /** Shared by all peers. */
  readonly scheduler: FairScheduler
}

/** Options of {@link Peers}. */
export interface PeersOptions {
  maxConnections: number
  maxConnectionsPerPeer: number
  rates: Rates
}

/** The peers that are connected, and what each and all of them may use. */
export class Peers {
  readonly #options: PeersOptions
  readonly #budget = new ByteBudget(FIXED_LIMITS.bytesHeld.value)
  readonly #turns = new FairScheduler()
  readonly #descriptors = new DescriptorReserve()
  readonly #peers = new Map<string, PeerEntry>()
  /** Those who left, the longest away first: one that reconnects must find its rates as it left them. */
  readonly #away = new Map<string, PeerEntry>()
  #connections = 0

  constructor(options: PeersOptions) {
    this.#options = options
  }

  /**
   * Takes in one connection of the peer at `address`, or returns the reason why it cannot be. A connection
   * that was taken in must {@link leave}.
   */
  join(address: string): Peer | string {
    const { maxConnections, maxConnectionsPerPeer } = this.#options
    if (this.#connections >= maxConnections) return 'there are too many connections'
    if (!this.#descriptors.tryAcquire()) return 'too few descriptors are left'
    const peer = this.#peers.get(address) ?? this.#away.get(address) ?? this.#newPeer()
    if (peer.connections >= maxConnectionsPerPeer) return 'this peer has too many connections'
    this.#away.delete(address)
    this.#peers.set(address, peer)
    peer.connections++
    this.#connections++
    return peer
  }

  leave(address: string): void {
    const peer = this.#peers.get(address)
    if (peer === undefined) return
    this.#connections--
    peer.connections--
    if (peer.connections > 0) return
    this.#peers.delete(address)
    this.#away.set(address, peer)
    const [longest] = this.#away.keys()
    if (longest !== undefined && this.#away.size > PEERS_REMEMBERED) this.#away.delete(longest)
  }

  #newPeer(): PeerEntry {
    return {
      budget: new ByteBudget(FIXED_LIMITS.bytesHeldPerPeer.value, this.#budget),
      rates: new RateLimiter(this.#options.rates),
      refusalLimiter: new RefusalLimiter(),
      scheduler: this.#turns,
      connections: 0,
    }
  }
}

interface PeerEntry extends Peer {
  connections: number
}

const PEERS_REMEMBERED = 1024

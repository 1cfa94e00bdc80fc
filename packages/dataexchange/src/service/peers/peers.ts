import { FIXED_LIMITS } from '../../limits.ts'
import { ByteBudget } from './byte-budget.ts'
import { DescriptorReserve } from './descriptor-reserve.ts'
import { FairScheduler } from './fair-scheduler.ts'
import { RateLimiter, type Rates } from './rate-limiter.ts'
import { RefusalLimiter } from './refusal-limiter.ts'

/** State of one peer, shared by its connections. */
export interface Peer {
  readonly budget: ByteBudget
  readonly rates: RateLimiter
  readonly refusalLimiter: RefusalLimiter
  /** The scheduler that all peers share. */
  readonly scheduler: FairScheduler
}

/** Options of {@link Peers}. */
export interface PeersOptions {
  maxConnections: number
  maxConnectionsPerPeer: number
  rates: Rates
}

/** The connected peers, with the limits of each and of all. */
export class Peers {
  readonly #options: PeersOptions
  readonly #budget = new ByteBudget(FIXED_LIMITS.bytesHeld.value)
  readonly #turns = new FairScheduler()
  readonly #descriptors = new DescriptorReserve()
  readonly #peers = new Map<string, PeerEntry>()
  /** Peers that left, the oldest first. A peer that reconnects keeps its rate limits and refusals. */
  readonly #away = new Map<string, PeerEntry>()
  #connections = 0

  constructor(options: PeersOptions) {
    this.#options = options
  }

  /**
   * Registers a connection of the peer at `address`. Returns the reason if it is refused. A registered connection must
   * {@link leave}.
   */
  join(address: string): Peer | string {
    const { maxConnections, maxConnectionsPerPeer } = this.#options
    if (this.#connections >= maxConnections) return 'too many connections'
    if (!this.#descriptors.tryAcquire()) return 'too few file descriptors left'
    const peer = this.#peers.get(address) ?? this.#away.get(address) ?? this.#newPeer()
    if (peer.connections >= maxConnectionsPerPeer) return 'this peer has too many connections'
    this.#away.delete(address)
    this.#peers.set(address, peer)
    peer.connections++
    this.#connections++
    return peer
  }

  /** Unregisters a connection of the peer at `address`. */
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

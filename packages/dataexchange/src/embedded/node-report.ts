import type { Address } from '../pilot/address.ts'
import type { NodeEntry } from './node-directory.ts'

/** The facts behind INFO and HEALTH. */
export interface NodeFacts {
  readonly address: Address
  readonly hostname: string
  readonly uptimeSecs: number
  readonly connections: number
  readonly peers: readonly NodeEntry[]
}

/** The answer to HEALTH. */
export function healthReport(facts: NodeFacts): Record<string, unknown> {
  const { uptimeSecs } = facts
  return { status: 'ok', ...common(facts), uptime_seconds: uptimeSecs, uptime_secs: uptimeSecs }
}

/** The answer to INFO. `ports` is the number of bound ports. */
export function infoReport(
  facts: NodeFacts,
  { version, ports }: { version: string; ports: number },
): Record<string, unknown> {
  const peers = facts.peers.map(({ address, hostname }) => ({
    node_id: address.node,
    address,
    hostname,
    encrypted: false,
    authenticated: true,
    relay: false,
  }))
  return {
    ...common(facts),
    uptime_secs: facts.uptimeSecs,
    version: `embedded/${version}`,
    features: ['embedded', 'unbind', 'cancel-dial'],
    ports,
    peer_list: peers,
    conn_list: [],
    encrypt: false,
    pkts_sent: 0,
    pkts_recv: 0,
  }
}

/**
 * The fields of both answers, with the original's names. pilotctl panics if a number is missing. Network counters are
 * zero, because nothing leaves this machine. Peers count as authenticated, because they are processes of this user,
 * and not as encrypted, because the kernel carries the bytes in the clear.
 */
function common({ address, hostname, connections, peers }: NodeFacts): Record<string, unknown> {
  return {
    node_id: address.node,
    address,
    hostname,
    connections,
    peers: peers.length,
    authenticated_peers: peers.length,
    encrypted_peers: 0,
    relay_peer_count: 0,
    handshake_pending_count: 0,
    accept_queue_drops: 0,
    bytes_sent: 0,
    bytes_recv: 0,
  }
}

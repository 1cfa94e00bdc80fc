import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Address } from '#lib/pilot/address.js'

/**
 * As much of a registry and a beacon as daemons on this machine need to start and to find each other, on
 * loopback. Made from what daemons of version 1.18.0 were seen to send, and answered with what they were
 * seen to accept: messages are `[u32 length][JSON]`. Signatures are not checked, and everybody is trusted
 * who has registered.
 */
export class TestRegistry {
  readonly address: string
  readonly beacon: string
  /** Ends both. */
  readonly close: () => Promise<void>

  private constructor(address: string, beacon: string, close: () => Promise<void>) {
    this.address = address
    this.beacon = beacon
    this.close = close
  }

  static async start(): Promise<TestRegistry> {
    const nodes = new Map<string, Registered>()
    const sockets = new Set<Socket>()
    const server = createServer(socket => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      socket.on('error', () => {})
      serve(socket, nodes)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    // Packets to it are not answered: on loopback daemons reach each other directly.
    const beacon = createSocket('udp4')
    beacon.bind(0, '127.0.0.1')
    await once(beacon, 'listening')
    const close = async () => {
      for (const socket of sockets) socket.destroy()
      beacon.close()
      server.close()
      await once(server, 'close')
    }
    const { port } = server.address() as { port: number }
    return new TestRegistry(`127.0.0.1:${port}`, `127.0.0.1:${beacon.address().port}`, close)
  }
}

type Query = Record<string, unknown>

interface Registered {
  node_id: number
  address: string
  public_key: unknown
  real_addr: unknown
  hostname: unknown
  public: boolean
  network_id: number
}

function serve(socket: Socket, nodes: Map<string, Registered>): void {
  let unread = Buffer.alloc(0)
  socket.on('data', chunk => {
    unread = Buffer.concat([unread, chunk])
    while (unread.length >= 4 && unread.length >= 4 + unread.readUInt32BE(0)) {
      const end = 4 + unread.readUInt32BE(0)
      const answer = Buffer.from(JSON.stringify(answerTo(JSON.parse(String(unread.subarray(4, end))), nodes)))
      unread = unread.subarray(end)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(answer.length)
      socket.write(Buffer.concat([length, answer]))
    }
  })
}

function answerTo(query: Query, nodes: Map<string, Registered>): Query {
  const byId = [...nodes.values()].find(node => node.node_id === query.node_id)
  const ok = { type: `${query.type}_ok` }
  const found = (node?: Registered) =>
    node ? { ...ok, ...node } : { type: 'error', error: 'node not found' }
  switch (query.type) {
    case 'register':
      return { ...ok, ...register(query, nodes) }
    case 'set_hostname':
      if (byId !== undefined) byId.hostname = query.hostname
      return { ...ok, node_id: query.node_id, hostname: query.hostname }
    case 'resolve_hostname':
      return found([...nodes.values()].find(node => node.hostname === query.hostname))
    case 'lookup':
    case 'resolve':
      return found(byId)
    case 'check_trust':
      return { ...ok, trusted: true }
    case 'poll_handshakes':
      return { ...ok, requests: [], responses: [] }
    case 'list_networks':
      return { ...ok, networks: [] }
    case 'beacon_list':
      return { ...ok, beacons: [] }
    case 'heartbeat':
    case 'deregister':
    case 'report_trust':
    case 'respond_handshake':
    case 'revoke_trust':
      return ok
    default:
      return { type: 'error', error: `unknown message type: ${query.type}` }
  }
}

/** A key that has registered before keeps its address. */
function register(query: Query, nodes: Map<string, Registered>): Registered {
  const key = String(query.public_key)
  const id = nodes.get(key)?.node_id ?? nodes.size + 1
  const node: Registered = {
    node_id: id,
    address: `${new Address(0, id)}`,
    public_key: key,
    real_addr: query.listen_addr,
    hostname: query.hostname ?? nodes.get(key)?.hostname ?? '',
    public: false,
    network_id: 0,
  }
  nodes.set(key, node)
  return node
}

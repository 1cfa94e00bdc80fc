import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { withWait } from '../async/wait.ts'
import { DriverError } from '../errors.ts'
import { FIXED_LIMITS, LIMITS } from '../limits.ts'
import { type Logger, silentLogger } from '../logger.ts'
import { type Address, formatSocketAddress, type SocketAddress } from '../pilot/address.ts'
import { systemCode } from '../system-errors.ts'
import { readHello, refuseStream, requestStream } from './handshake.ts'
import { checkedHostname, numberedHostname } from './hostname.ts'
import type { NodeDirectory, NodeEntry } from './node-directory.ts'
import { healthReport, infoReport, type NodeFacts } from './node-report.ts'

/** A client that has bound a port. */
export interface PortOwner {
  /**
   * Accepts a stream to one of its ports.
   *
   * @throws {DriverError} DIAL_FAILED with the reason for the dialling node
   */
  accept(localPort: number, remote: SocketAddress, socket: Socket): Promise<void>
}

/** A stream that this node dialled. */
export interface Dialled {
  readonly socket: Socket
  readonly localPort: number
}

/** This node, shared by its clients: its address, hostname and ports, and its connections to other nodes. */
export class LocalNode {
  readonly address: Address
  readonly #directory: NodeDirectory
  readonly #logger: Logger
  readonly #startedAt = performance.now()
  readonly #owners = new Map<number, PortOwner>()
  readonly #dialledFrom = new Set<number>()
  readonly #connIds = new Set<number>()
  readonly #sockets = new Set<Socket>()
  #hostname = ''
  #lastRename: Promise<void> = Promise.resolve()
  #lastConnId = 0
  #lastPort = LAST_EPHEMERAL

  constructor(address: Address, directory: NodeDirectory, logger: Logger = silentLogger) {
    this.address = address
    this.#directory = directory
    this.#logger = logger
  }

  /** The hostname under which other nodes find this one. */
  get hostname(): string {
    return this.#hostname
  }

  /** Acquires the hostname `wanted`, or `wanted-2` and so on if another node has it. */
  async acquireFreeHostname(wanted: string): Promise<void> {
    // A crashed run with this address may have left its hostname.
    await this.#directory.releaseHostnames(this.address)
    for (let count = 1; ; count++) {
      const name = numberedHostname(wanted, count)
      if (!(await this.#directory.acquireHostname(name, this.address))) continue
      this.#hostname = name
      return
    }
  }

  /** Changes the hostname. @throws {DriverError} DAEMON_REFUSED if `name` is invalid, or another node has it */
  setHostname(name: string): Promise<void> {
    const wanted = checkedHostname(name)
    // One change at a time: each releases all names but its own.
    const change = this.#lastRename.then(() => this.#rename(wanted))
    this.#lastRename = change.catch(() => {})
    return change
  }

  /** Resolves `name` to an address. @throws {DriverError} DAEMON_REFUSED if no running node has the name */
  async resolve(name: string): Promise<Address> {
    const address = await this.#directory.resolve(checkedHostname(name))
    if (address !== undefined) return address
    throw new DriverError('DAEMON_REFUSED', `no node named ${name} on this machine; ${REACH}`)
  }

  /** Binds `port`. @throws {DriverError} PORT_IN_USE, also if the owner itself has bound the port */
  bind(port: number, owner: PortOwner): void {
    if (port === 0) throw new DriverError('DAEMON_REFUSED', 'port 0 cannot be bound')
    if (this.#owners.has(port) || this.#dialledFrom.has(port)) {
      throw new DriverError('PORT_IN_USE', `port ${port} is already bound`)
    }
    this.#owners.set(port, owner)
  }

  /** Frees `port`. @throws {DriverError} DAEMON_REFUSED if the port is not the owner's */
  unbind(port: number, owner: PortOwner): void {
    if (this.#owners.get(port) !== owner) {
      throw new DriverError('DAEMON_REFUSED', `port ${port} is not bound by this client`)
    }
    this.#owners.delete(port)
  }

  /** Frees all ports of `owner`. */
  unbindAll(owner: PortOwner): void {
    for (const [port, holder] of this.#owners) if (holder === owner) this.#owners.delete(port)
  }

  /** Allocates a connection id, unique in this node until {@link freeConnId}. */
  newConnId(): number {
    do this.#lastConnId = (this.#lastConnId % 0xffff_ffff) + 1
    while (this.#connIds.has(this.#lastConnId))
    this.#connIds.add(this.#lastConnId)
    return this.#lastConnId
  }

  freeConnId(id: number): void {
    this.#connIds.delete(id)
  }

  /**
   * Connects to a port of a node on this machine, which may be this one `[ipc.dial-self]`.
   *
   * @throws {DriverError} DIAL_FAILED with the reason; ABORTED, TIMED_OUT
   */
  async dial(remote: SocketAddress, signal: AbortSignal): Promise<Dialled> {
    const target = formatSocketAddress(remote)
    if (remote.port === 0) throw new DriverError('DIAL_FAILED', 'port 0 cannot be dialled')
    if (remote.address.isBroadcast) {
      throw new DriverError('DIAL_FAILED', `${remote.address} is a broadcast address and cannot be dialled`)
    }
    const localPort = this.#ephemeralPort()
    try {
      const hello = { from: { address: this.address, port: localPort }, port: remote.port }
      const path = this.#directory.socketOf(remote.address)
      const timeoutMs = LIMITS.dialTimeout.value
      const socket = await withWait(`the dial to ${target}`, { signal, timeoutMs }, aborted =>
        requestStream(path, hello, aborted),
      )
      this.#track(socket)
      socket.on('close', () => this.#dialledFrom.delete(localPort))
      return { socket, localPort }
    } catch (error) {
      this.#dialledFrom.delete(localPort)
      throw dialFailure(remote, error)
    }
  }

  /** Serves one incoming connection of a node. */
  async receive(socket: Socket): Promise<void> {
    this.#track(socket)
    try {
      const timeoutMs = LIMITS.dialTimeout.value
      const { from, port } = await withWait('the greeting of a node', { timeoutMs }, () => readHello(socket))
      const owner = this.#owners.get(port)
      if (owner === undefined) {
        const reason = `connection refused: nothing listens on port ${port} of ${this.address}`
        throw new DriverError('DIAL_FAILED', reason)
      }
      await owner.accept(port, from, socket)
    } catch (error) {
      // A liveness check of another node ends here, too.
      this.#logger.debug({ err: error }, 'a stream from another node was not accepted')
      refuseStream(socket, messageOf(error))
    }
  }

  /** The other nodes that run on this machine. */
  async peers(): Promise<NodeEntry[]> {
    return (await this.#directory.nodes()).filter(({ address }) => !address.equals(this.address))
  }

  /** The answer to INFO. */
  async info(): Promise<Record<string, unknown>> {
    return infoReport(this.#facts(await this.peers()), { version: VERSION, ports: this.#owners.size })
  }

  /** The answer to HEALTH. It stays cheap: it does not look for other nodes, and counts none. */
  health(): Record<string, unknown> {
    return healthReport(this.#facts([]))
  }

  /** Releases the hostname, then flushes and ends all streams, within `FIXED_LIMITS.closeTimeout`. */
  async close(): Promise<void> {
    await this.#directory.releaseHostnames(this.address)
    await endAll(this.#sockets)
  }

  async #rename(wanted: string): Promise<void> {
    if (wanted === this.#hostname) return
    if (!(await this.#directory.acquireHostname(wanted, this.address))) {
      throw new DriverError('DAEMON_REFUSED', `the hostname ${wanted} is taken by another node`)
    }
    this.#hostname = wanted
    await this.#directory.releaseHostnames(this.address, wanted)
  }

  #facts(peers: readonly NodeEntry[]): NodeFacts {
    return {
      address: this.address,
      hostname: this.#hostname,
      uptimeSecs: Math.floor((performance.now() - this.#startedAt) / 1000),
      connections: this.#connIds.size,
      peers,
    }
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', error => this.#logger.debug({ err: error }, 'a stream between nodes failed'))
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #ephemeralPort(): number {
    for (let tries = FIRST_EPHEMERAL; tries <= LAST_EPHEMERAL; tries++) {
      this.#lastPort = this.#lastPort === LAST_EPHEMERAL ? FIRST_EPHEMERAL : this.#lastPort + 1
      if (this.#dialledFrom.has(this.#lastPort) || this.#owners.has(this.#lastPort)) continue
      this.#dialledFrom.add(this.#lastPort)
      return this.#lastPort
    }
    throw new DriverError('DIAL_FAILED', 'all local ports are in use; close some streams')
  }
}

/** Flushes and ends `sockets`. Destroys those that are not flushed after `FIXED_LIMITS.closeTimeout`. */
export async function endAll(sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = [...sockets].map(socket => new Promise(resolve => socket.once('close', resolve)))
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, FIXED_LIMITS.closeTimeout.value)
  for (const socket of sockets) socket.destroySoon()
  await Promise.all(closed)
  clearTimeout(timer)
}

const FIRST_EPHEMERAL = 49_152
const LAST_EPHEMERAL = 65_535

const REACH = 'the embedded daemon reaches only nodes of the same user on this machine'

const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version

function dialFailure(remote: SocketAddress, error: unknown): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const reason =
    code === 'ENOENT' || code === 'ECONNREFUSED'
      ? `no node with the address ${remote.address} on this machine; ${REACH}`
      : `the node ${remote.address} cannot be reached: ${code}`
  return new DriverError('DIAL_FAILED', reason, { cause: error })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'internal error'
}

import type { Server, Socket } from 'node:net'
import { PluginError } from '../errors.ts'
import { type Logger, silentLogger } from '../logger.ts'
import type { Address } from '../pilot/address.ts'
import { type PublishedSocket, publishSocket, refuseLive } from '../socket/socket-file.ts'
import { ClientSession } from './client-session.ts'
import { checkedHostname, defaultHostname } from './hostname.ts'
import { loadIdentity, type NodeIdentity, randomAddress, saveIdentity } from './identity.ts'
import { endAll, LocalNode } from './local-node.ts'
import { NodeDirectory } from './node-directory.ts'

/** Options of {@link EmbeddedDaemon.start}. */
export interface EmbeddedDaemonOptions {
  /** Path of the Unix socket, mode 0600. At most 100 bytes on Linux, 96 elsewhere. */
  socketPath: string
  /**
   * A small JSON file that keeps the node's address and hostname between runs. Created if missing.
   *
   * @default none: a new address at each start
   */
  identityFile?: string | undefined
  /**
   * The hostname of the node. If another node on this machine has it, a number is appended.
   *
   * @default the name in `identityFile`, else the machine's host name
   */
  hostname?: string | undefined
  /** @default the address in `identityFile`, else a random one in network 0 */
  address?: Address | undefined
  /**
   * The folder in which the nodes of this user on this machine find each other, mode 0700.
   *
   * @default `$XDG_RUNTIME_DIR/pilot-dx`, else `pilot-dx-<uid>` in the system's temporary folder
   */
  directory?: string | undefined
  /** @default logs nothing */
  logger?: Logger | undefined
}

/**
 * A Pilot daemon for one machine. It speaks the daemon's local protocol, so the driver uses it like the original, and
 * connects streams between the embedded nodes of one user on one machine. It reaches no network and encrypts nothing:
 * the bytes stay in the kernel.
 */
export class EmbeddedDaemon {
  readonly socketPath: string
  readonly #node: LocalNode
  readonly #servers: readonly PublishedSocket[]
  readonly #sessions: ReadonlyMap<Socket, ClientSession>
  #closed: Promise<void> | undefined

  private constructor(
    node: LocalNode,
    servers: readonly PublishedSocket[],
    sessions: ReadonlyMap<Socket, ClientSession>,
    socketPath: string,
  ) {
    this.#node = node
    this.#servers = servers
    this.#sessions = sessions
    this.socketPath = socketPath
  }

  /**
   * Starts a daemon. Resolves when its socket accepts clients.
   *
   * @throws {DriverError} SOCKET_IN_USE if a live daemon serves the socket, or a live node has the address
   * @throws {DriverError} DAEMON_REFUSED if `hostname` is not a valid name
   * @throws {PluginError} CONFIG_INVALID if a path cannot be used, or the identity file is damaged
   */
  static async start(options: EmbeddedDaemonOptions): Promise<EmbeddedDaemon> {
    const { socketPath, logger = silentLogger } = options
    const wanted = options.hostname === undefined ? undefined : checkedHostname(options.hostname)
    await refuseLive(socketPath)
    const directory = await NodeDirectory.open(options.directory)
    const identity = await identityOf(options)
    const node = new LocalNode(identity.address, directory, logger)

    const saveHostname = async () => {
      const { address, hostname } = node
      if (options.identityFile !== undefined) await saveIdentity(options.identityFile, { address, hostname })
    }
    const sessions = new Map<Socket, ClientSession>()
    const serve = (socket: Socket) => {
      sessions.set(socket, new ClientSession(node, socket, { logger, saveHostname }))
      socket.on('close', () => sessions.delete(socket))
    }

    const servers: PublishedSocket[] = []
    try {
      servers.push(await publishSocket(directory.socketOf(node.address), socket => void node.receive(socket)))
      await node.acquireFreeHostname(wanted ?? identity.hostname ?? defaultHostname())
      // A number appended to a stored name is for this run only, so the name is not stored again.
      if (wanted !== undefined || identity.hostname === undefined) await saveHostname()
      servers.push(await publishSocket(socketPath, serve))
    } catch (error) {
      await shutDown(node, servers, sessions)
      throw error
    }
    logger.info(
      { address: `${node.address}`, hostname: node.hostname, socketPath },
      'embedded daemon started',
    )
    return new EmbeddedDaemon(node, servers, sessions, socketPath)
  }

  /** The address of the node. */
  get address(): Address {
    return this.#node.address
  }

  /** The hostname of the node, with the appended number if there is one. */
  get hostname(): string {
    return this.#node.hostname
  }

  /**
   * Removes the sockets and the hostname, and ends all streams and clients. Bytes that the daemon has read are
   * forwarded first, for 5 s at most (`FIXED_LIMITS.closeTimeout`). Idempotent.
   */
  close(): Promise<void> {
    this.#closed ??= shutDown(this.#node, this.#servers, this.#sessions)
    return this.#closed
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function identityOf({ address, identityFile }: EmbeddedDaemonOptions): Promise<NodeIdentity> {
  const stored = identityFile === undefined ? undefined : await loadIdentity(identityFile)
  const identity = { ...stored, address: address ?? stored?.address ?? randomAddress() }
  if (identity.address.node !== 0 && !identity.address.isBroadcast) return identity
  throw new PluginError('CONFIG_INVALID', `${identity.address} is not the address of a node`)
}

async function shutDown(
  node: LocalNode,
  servers: readonly PublishedSocket[],
  sessions: ReadonlyMap<Socket, ClientSession>,
): Promise<void> {
  await Promise.all(servers.map(server => server.unpublish()))
  const closed = servers.map(({ server }) => closeServer(server))
  for (const session of sessions.values()) session.leave()
  await Promise.all([node.close(), endAll(new Set(sessions.keys()))])
  await Promise.all(closed)
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}

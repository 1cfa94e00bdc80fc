import type { WaitOptions } from '../async/wait.ts'
import { withWait } from '../async/wait.ts'
import { utf8 } from '../bytes.ts'
import { AddressError, DriverError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { Address, formatSocketAddress } from './address.ts'
import { IpcConnection } from './ipc-connection.ts'
import { Command, decodeConnId, decodeJson, encodeDial } from './ipc-messages.ts'
import { PilotListener } from './listener.ts'
import { addressFrom, type NodeInfo, nodeInfoFrom } from './node-info.ts'
import { defaultSocketPath } from './socket-path.ts'
import { PilotStream } from './stream.ts'
import { DATA_EXCHANGE_PORT, type Listener, type Resolver, type Stream, type Streams } from './transport.ts'

/**
 * The Pilot network, reached through a daemon on this machine. The original's `driver`.
 *
 * Each dial, each listener and each request has its own socket to the daemon. Replies carry no request id, and
 * errors do not even name the command they answer `[ipc.one-in-flight]`. On a shared socket the late reply to an
 * abandoned call would reach the next caller; on its own socket it reaches nobody. So calls run in parallel, a slow
 * reader slows down only its own stream, and a lost socket ends only its own streams. A daemon accepts 1,024 sockets.
 *
 * The driver itself is never disconnected. After the daemon restarts, call {@link listen} and {@link dial} again.
 *
 * Every method rejects with a {@link DriverError}:
 * - DAEMON_UNAVAILABLE: nothing listens on the socket.
 * - DAEMON_GONE: the daemon closed the connection before it answered.
 * - DAEMON_NOT_PILOT: the answer is not valid on this protocol.
 * - DAEMON_REFUSED: the daemon answered with an error.
 * - TIMED_OUT, ABORTED: see {@link WaitOptions}.
 * - DRIVER_CLOSED: after {@link close}.
 */
export class Driver implements Streams, Resolver {
  /** Path of the daemon's socket. */
  readonly socketPath: string
  readonly #sockets = new Set<IpcConnection>()
  /** The address of this node in the last INFO. */
  #address = new Address(0, 0)
  #closed = false

  /**
   * Connects to the daemon at `socketPath`. Resolves when the daemon has answered INFO.
   *
   * @param socketPath @default defaultSocketPath()
   * @param options `timeoutMs` @default 10 s (`LIMITS.requestTimeout`)
   * @throws {DriverError} DAEMON_NOT_PILOT also if the daemon closes the connection or does not answer in time
   */
  static async connect(socketPath: string = defaultSocketPath(), options: WaitOptions = {}): Promise<Driver> {
    const driver = new Driver(socketPath)
    try {
      await driver.info(options)
    } catch (error) {
      throw isSilent(error) ? noAnswer(socketPath, error) : error
    }
    return driver
  }

  private constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  /**
   * Opens a stream to `port` of `address` `[ipc.dial]`. The daemon does not tell the local port: the stream's
   * `localAddress` has port 0.
   *
   * @param options `timeoutMs` @default 30 s (`LIMITS.dialTimeout`). An abandoned dial is also cancelled in the
   * daemon `[ipc.cancel]`.
   * @throws {DriverError} DIAL_FAILED with the daemon's reason
   * @throws {AddressError} ADDRESS_INVALID if `port` is not 0 to 65535
   */
  async dial(address: Address, port: number, options: WaitOptions = {}): Promise<Stream> {
    const remoteAddress = { address, port: checkedPort(port) }
    const target = formatSocketAddress(remoteAddress)
    const open = async (ipc: IpcConnection): Promise<PilotStream> => {
      const reply = await ipc.request(Command.Dial, encodeDial(address, port), Command.DialOk)
      return new PilotStream({
        ipc,
        connId: decodeConnId(reply),
        localAddress: { address: this.#address, port: 0 },
        remoteAddress,
        shared: false,
        onOver: () => ipc.close(),
      })
    }
    return this.#onSocket(`dialling ${target}`, options, LIMITS.dialTimeout.value, open, {
      abandon: ipc => ipc.sendCancel(),
    }).catch(error => {
      throw dialError(error, target)
    })
  }

  /**
   * Binds `port` of this node and accepts streams to it `[ipc.bind]`. Resolves when the daemon has bound the port.
   *
   * @param options `timeoutMs` for the daemon's answer. @default 10 s (`LIMITS.requestTimeout`)
   * @throws {DriverError} PORT_IN_USE if the port is taken
   * @throws {AddressError} ADDRESS_INVALID if `port` is not 0 to 65535
   */
  async listen(port: number, options: WaitOptions = {}): Promise<Listener & AsyncDisposable> {
    checkedPort(port)
    const bind = (ipc: IpcConnection) => PilotListener.bind(ipc, port, this.#address)
    return this.#onSocket(`listening on port ${port}`, options, LIMITS.requestTimeout.value, bind).catch(
      error => {
        throw bindError(error, port)
      },
    )
  }

  /** Asks for this node's address, name and version `[ipc.info]`. `timeoutMs` as in {@link connect}. */
  async info(options: WaitOptions = {}): Promise<NodeInfo> {
    const info = nodeInfoFrom(await this.#request('INFO', Command.Info, '', Command.InfoOk, options))
    this.#address = info.address
    return info
  }

  /** Asks for the daemon's health `[ipc.health]`: its JSON as it is. `timeoutMs` as in {@link connect}. */
  async health(options: WaitOptions = {}): Promise<Record<string, unknown>> {
    return this.#request('HEALTH', Command.Health, '', Command.HealthOk, options)
  }

  /**
   * Resolves `hostname` to an address `[ipc.resolve]`. `timeoutMs` as in {@link connect}.
   *
   * @throws {DriverError} DAEMON_REFUSED if the daemon knows no such node
   */
  async resolve(hostname: string, options: WaitOptions = {}): Promise<Address> {
    const what = `resolving ${JSON.stringify(hostname)}`
    const answer = await this.#request(
      what,
      Command.ResolveHostname,
      hostname,
      Command.ResolveHostnameOk,
      options,
    )
    const address = addressFrom(answer)
    if (address === undefined) {
      throw new DriverError('DAEMON_NOT_PILOT', `${what}: the daemon’s answer has no address`)
    }
    return address
  }

  /** Sets this node's hostname; an empty text removes it `[ipc.set-hostname]`. `timeoutMs` as in {@link connect}. */
  async setHostname(hostname: string, options: WaitOptions = {}): Promise<void> {
    await this.#request('SET-HOSTNAME', Command.SetHostname, hostname, Command.SetHostnameOk, options)
  }

  /**
   * Closes every stream, listener and call of this driver at once. To be sure that written bytes leave, call `end()`
   * on the stream and await its `close` event first. Later calls reject with DRIVER_CLOSED. Resolves when the sockets
   * are closed. Idempotent.
   */
  async close(): Promise<void> {
    this.#closed = true
    const sockets = [...this.#sockets]
    for (const ipc of sockets) ipc.close(driverClosed())
    await Promise.all(sockets.map(ipc => ipc.closed))
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #request(
    what: string,
    command: number,
    text: string,
    reply: number,
    options: WaitOptions,
  ): Promise<Record<string, unknown>> {
    return this.#onSocket(what, options, LIMITS.requestTimeout.value, async ipc => {
      const answer = await ipc.request(command, utf8(text), reply)
      ipc.close()
      return decodeJson(answer)
    })
  }

  /** Runs `use` on a new socket. Closes the socket if `use` fails; calls `abandon` before that on a time-out or an abort. */
  async #onSocket<T>(
    what: string,
    { signal, timeoutMs }: WaitOptions,
    defaultTimeout: number,
    use: (ipc: IpcConnection) => Promise<T>,
    { abandon }: { abandon?: (ipc: IpcConnection) => void } = {},
  ): Promise<T> {
    if (this.#closed) throw driverClosed()
    return withWait(what, { signal, timeoutMs: timeoutMs ?? defaultTimeout }, async given => {
      const ipc = this.#open()
      given.addEventListener('abort', () => {
        abandon?.(ipc)
        ipc.close(given.reason)
      })
      try {
        return await use(ipc)
      } catch (error) {
        ipc.close()
        throw error
      }
    })
  }

  #open(): IpcConnection {
    const ipc = new IpcConnection(this.socketPath)
    this.#sockets.add(ipc)
    void ipc.closed.then(() => this.#sockets.delete(ipc))
    return ipc
  }
}

function checkedPort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port
  throw new AddressError(`port ${port} is not 0 to 65535`)
}

function dialError(error: unknown, target: string): unknown {
  if (!isRefusal(error)) return error
  const { daemonCode, message } = error
  return new DriverError('DIAL_FAILED', `could not connect to ${target}: ${message}`, {
    cause: error,
    daemonCode,
  })
}

function bindError(error: unknown, port: number): unknown {
  if (!isRefusal(error) || !/already|in use/i.test(error.message)) return error
  const { daemonCode, message } = error
  const holder =
    port === DATA_EXCHANGE_PORT
      ? 'most likely by the daemon’s own data exchange service (start the daemon with -no-dataexchange) or by another pilot-dx serve'
      : 'by another program on this node'
  return new DriverError('PORT_IN_USE', `port ${port} is taken (${message}), ${holder}`, {
    cause: error,
    daemonCode,
  })
}

function isRefusal(error: unknown): error is DriverError {
  return error instanceof DriverError && error.code === 'DAEMON_REFUSED'
}

/** True if something accepted the connection and did not answer. */
function isSilent(error: unknown): boolean {
  return error instanceof DriverError && (error.code === 'DAEMON_GONE' || error.code === 'TIMED_OUT')
}

function noAnswer(socketPath: string, cause: unknown): DriverError {
  return new DriverError(
    'DAEMON_NOT_PILOT',
    `the program that listens on ${socketPath} does not answer as a Pilot daemon; check the path, and whether the daemon hangs or has reached its number of clients`,
    { cause },
  )
}

function driverClosed(): DriverError {
  return new DriverError('DRIVER_CLOSED', 'this process closed the driver')
}

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
import { DATA_EXCHANGE_PORT, type Resolver, type Streams } from './transport.ts'

/**
 * The network, through a Pilot daemon on this machine (section 8); the original's `driver`.
 *
 * Each dial, each listener with its streams, and each other request has a socket of its own. The daemon's
 * replies do not say which request they answer, and its errors do not even say which kind: on a shared
 * socket the late reply to a call that was given up would go to the next caller. Here it goes nowhere, calls
 * run side by side, a slow reader pushes back on its own stream, and the loss of one socket ends what it
 * carried and nothing else. A daemon takes 1,024 sockets in all.
 *
 * So the driver itself is never disconnected: when the daemon has come back, call {@link listen} and
 * {@link dial} again.
 *
 * Every method rejects with a {@link DriverError}: DAEMON_UNAVAILABLE where no daemon listens on the socket,
 * DAEMON_GONE where it went away before it answered, DAEMON_NOT_PILOT where what it sends makes no sense,
 * DAEMON_REFUSED where it answers with an error, TIMED_OUT, ABORTED, and DRIVER_CLOSED after {@link close}.
 */
export class Driver implements Streams, Resolver {
  /** Where the daemon listens. */
  readonly socketPath: string
  readonly #sockets = new Set<IpcConnection>()
  /** This node's, as the daemon said it last. */
  #address = new Address(0, 0)
  #closed = false

  /**
   * A driver for the daemon at `socketPath`, once that has answered INFO.
   *
   * @param socketPath @default defaultSocketPath()
   * @param options `timeoutMs` @default 10 s (`LIMITS.requestTimeout`)
   * @throws {DriverError} DAEMON_NOT_PILOT also where it closes the connection or does not answer in time
   */
  static async connect(socketPath: string = defaultSocketPath(), options: WaitOptions = {}): Promise<Driver> {
    const driver = new Driver(socketPath)
    try {
      await driver.info(options)
    } catch (error) {
      throw silent(error) ? noAnswer(socketPath, error) : error
    }
    return driver
  }

  private constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  /**
   * Connects to `port` of `address`. The daemon does not tell the local port: it is 0 in the stream's
   * `localAddress`.
   *
   * @param options `timeoutMs` @default 30 s (`LIMITS.dialTimeout`). A dial that is given up is cancelled in
   * the daemon too.
   * @throws {DriverError} DIAL_FAILED with the daemon's reason
   * @throws {AddressError} ADDRESS_INVALID where `port` is none
   */
  async dial(address: Address, port: number, options: WaitOptions = {}): Promise<PilotStream> {
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
   * Accepts streams to `port` of this node.
   *
   * @param options `timeoutMs` @default 10 s (`LIMITS.requestTimeout`), for the daemon's answer
   * @throws {DriverError} PORT_IN_USE where the port is taken
   * @throws {AddressError} ADDRESS_INVALID where `port` is none
   */
  async listen(port: number, options: WaitOptions = {}): Promise<PilotListener> {
    checkedPort(port)
    const bind = (ipc: IpcConnection) => PilotListener.bind(ipc, port, this.#address)
    return this.#onSocket(`listening on port ${port}`, options, LIMITS.requestTimeout.value, bind).catch(
      error => {
        throw bindError(error, port)
      },
    )
  }

  /** Who this node is. `timeoutMs` as of {@link connect}. */
  async info(options: WaitOptions = {}): Promise<NodeInfo> {
    const info = nodeInfoFrom(await this.#ask('INFO', Command.Info, '', Command.InfoOk, options))
    this.#address = info.address
    return info
  }

  /** The daemon's account of its health, as it gives it. `timeoutMs` as of {@link connect}. */
  async health(options: WaitOptions = {}): Promise<Record<string, unknown>> {
    return this.#ask('HEALTH', Command.Health, '', Command.HealthOk, options)
  }

  /**
   * The address of the node named `hostname`. `timeoutMs` as of {@link connect}.
   *
   * @throws {DriverError} DAEMON_REFUSED where there is no such node
   */
  async resolve(hostname: string, options: WaitOptions = {}): Promise<Address> {
    const what = `resolving ${JSON.stringify(hostname)}`
    const answer = await this.#ask(
      what,
      Command.ResolveHostname,
      hostname,
      Command.ResolveHostnameOk,
      options,
    )
    const address = addressFrom(answer)
    if (address === undefined) {
      throw new DriverError('DAEMON_NOT_PILOT', `${what}: the daemon’s answer holds no address`)
    }
    return address
  }

  /** Gives this node the name `hostname`; an empty one takes it away. `timeoutMs` as of {@link connect}. */
  async setHostname(hostname: string, options: WaitOptions = {}): Promise<void> {
    await this.#ask('SET-HOSTNAME', Command.SetHostname, hostname, Command.SetHostnameOk, options)
  }

  /**
   * Ends every stream, listener and call made through this driver, at once: `end()` a stream and await its
   * `close` before, where what was written must arrive. Later calls reject with DRIVER_CLOSED. Resolves when
   * the sockets are closed. Idempotent.
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

  #ask(
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

  /** Runs `use` on a socket of its own, which is closed where that fails or is given up, after `abandon`. */
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
      ? 'the holder is most likely the daemon’s own data exchange service (start the daemon with -no-dataexchange) or another pilot-dx serve'
      : 'another program on this node holds it'
  return new DriverError('PORT_IN_USE', `port ${port} is taken (${message}): ${holder}`, {
    cause: error,
    daemonCode,
  })
}

function isRefusal(error: unknown): error is DriverError {
  return error instanceof DriverError && error.code === 'DAEMON_REFUSED'
}

/** True where something took the connection and gave no answer. */
function silent(error: unknown): boolean {
  return error instanceof DriverError && (error.code === 'DAEMON_GONE' || error.code === 'TIMED_OUT')
}

function noAnswer(socketPath: string, cause: unknown): DriverError {
  return new DriverError(
    'DAEMON_NOT_PILOT',
    `what listens on ${socketPath} does not answer as a Pilot daemon; check the path, or whether the daemon hangs or has no room for another client`,
    { cause },
  )
}

function driverClosed(): DriverError {
  return new DriverError('DRIVER_CLOSED', 'the driver was closed by this process')
}

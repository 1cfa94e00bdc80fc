import { withWait } from '../async/wait.ts'
import { LIMITS } from '../limits.ts'
import type { Address } from './address.ts'
import type { IpcConnection } from './ipc-connection.ts'
import { type Accepted, Command, encodePort } from './ipc-messages.ts'
import { PilotStream } from './stream.ts'
import type { Listener } from './transport.ts'

/**
 * An async iterable of the streams that peers open to one port of this node, in the order of their ACCEPTs
 * `[ipc.accept]`. Streams queue, and buffer bytes, until they are iterated. `break` leaves the port bound; a later
 * iteration continues.
 *
 * The iteration ends after {@link close}. It throws DAEMON_GONE when the daemon closes the socket: listen again.
 */
export class PilotListener implements Listener, AsyncDisposable {
  readonly port: number
  readonly #ipc: IpcConnection
  readonly #localAddress: Address
  readonly #waiting: PilotStream[] = []
  /** Number of accepted streams whose connection is still open. */
  #live = 0
  #wake: (() => void)[] = []
  #failure: Error | undefined
  #closing: Promise<void> | undefined
  #unbound = false

  /** Binds `port` on the socket `ipc`, which the listener then owns. Rejects as {@link IpcConnection.request} does. */
  static async bind(ipc: IpcConnection, port: number, localAddress: Address): Promise<PilotListener> {
    // The listener registers before BIND: an ACCEPT may overtake the BIND-OK [ipc.early-accept].
    const listener = new PilotListener(ipc, port, localAddress)
    await ipc.request(Command.Bind, encodePort(port), Command.BindOk)
    return listener
  }

  private constructor(ipc: IpcConnection, port: number, localAddress: Address) {
    this.#ipc = ipc
    this.port = port
    this.#localAddress = localAddress
    ipc.listen({
      accept: accepted => this.#accept(accepted),
      lost: error => {
        // The iteration of a closed driver ends without an error.
        if (error.code === 'DRIVER_CLOSED') this.#closing ??= Promise.resolve()
        else this.#failure = error
        this.#wakeAll()
      },
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PilotStream, void, undefined> {
    for (;;) {
      const stream = this.#waiting.shift()
      if (stream !== undefined) {
        if (!stream.destroyed) yield stream
      } else if (this.#closing) {
        return
      } else if (this.#failure) {
        throw this.#failure
      } else {
        await new Promise<void>(resolve => {
          this.#wake.push(resolve)
        })
      }
    }
  }

  /**
   * Stops accepting. Queued streams are closed; iterated streams stay open. Resolves when the port is free
   * `[ipc.unbind]`. An older daemon cannot free a port alone `[ipc.unbind-old]`: then the port becomes free when the
   * last stream closes, and new connections are closed at once until then. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    for (const stream of this.#waiting.splice(0)) stream.destroy()
    this.#wakeAll()
    await withWait('UNBIND', { timeoutMs: LIMITS.requestTimeout.value }, () =>
      this.#ipc.request(Command.Unbind, encodePort(this.port), Command.UnbindOk),
    ).catch(() => {
      // An older daemon refuses UNBIND. The port becomes free when the socket closes.
    })
    this.#unbound = true
    this.#closeWhenIdle()
  }

  /** Closes the socket when it carries no stream any more. */
  #closeWhenIdle(): void {
    if (this.#unbound && this.#live === 0) this.#ipc.close()
  }

  #accept({ localPort, connId, remote }: Accepted): void {
    if (this.#closing || localPort !== this.port) {
      this.#ipc.sendClose(connId)
      this.#ipc.forget(connId)
      return
    }
    this.#live += 1
    const stream = new PilotStream({
      ipc: this.#ipc,
      connId,
      localAddress: { address: this.#localAddress, port: localPort },
      remoteAddress: remote,
      shared: true,
      onOver: () => {
        this.#live -= 1
        this.#closeWhenIdle()
      },
    })
    this.#waiting.push(stream)
    this.#wakeAll()
  }

  #wakeAll(): void {
    const wake = this.#wake
    this.#wake = []
    for (const resume of wake) resume()
  }
}

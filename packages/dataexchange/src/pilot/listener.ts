import { withWait } from '../async/wait.ts'
import { LIMITS } from '../limits.ts'
import type { Address } from './address.ts'
import type { IpcConnection } from './ipc-connection.ts'
import { type Accepted, Command, encodePort } from './ipc-messages.ts'
import { PilotStream } from './stream.ts'
import type { Listener } from './transport.ts'

/**
 * The streams that peers open to one port of this node, in order: an async iterable. Streams wait, and take
 * in bytes, until they are iterated. `break` leaves the port bound; a later iteration goes on.
 *
 * Iterating ends after {@link close}, and throws DAEMON_GONE when the daemon goes away: listen again then.
 */
export class PilotListener implements Listener {
  readonly port: number
  readonly #ipc: IpcConnection
  readonly #localAddress: Address
  readonly #waiting: PilotStream[] = []
  /** Accepted streams whose connection is not over. */
  #live = 0
  #wake: (() => void)[] = []
  #failure: Error | undefined
  #closing: Promise<void> | undefined
  #unbound = false

  /** Binds `port` on the socket `ipc`, which is the listener's from then on. Rejects as {@link IpcConnection.request}. */
  static async bind(ipc: IpcConnection, port: number, localAddress: Address): Promise<PilotListener> {
    // Made first: an ACCEPT may come with the BIND-OK.
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
        // Closed with its driver: an end, not a failure.
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
   * Accepts no more: streams that wait here are closed, those that were iterated live on. Resolves when the
   * port is free; with a daemon that cannot free a port alone, when it has said so: the port is then free
   * when the last stream has closed, and peers that connect until then are closed at once. Idempotent.
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
      // An older daemon, or one that is gone: the port goes with the socket.
    })
    this.#unbound = true
    this.#closeWhenIdle()
  }

  /** The socket stays as long as it carries a stream. */
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

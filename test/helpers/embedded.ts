import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from '#lib/embedded/index.js'
import { IpcClient } from './ipc-client.js'

/** Starts an embedded daemon in `folder`, closed after the test. Its socket is `<name>.sock`. */
export async function startDaemon(
  t: TestContext,
  folder: string,
  name = 'a',
  options: Partial<EmbeddedDaemonOptions> = {},
): Promise<EmbeddedDaemon> {
  const daemon = await EmbeddedDaemon.start({
    socketPath: join(folder, `${name}.sock`),
    directory: join(folder, 'nodes'),
    hostname: name,
    ...options,
  })
  t.after(() => daemon.close())
  return daemon
}

/** A bare client of `daemon`, disconnected after the test. */
export async function connectTo(t: TestContext, daemon: EmbeddedDaemon): Promise<IpcClient> {
  const client = await IpcClient.connect(daemon.socketPath)
  t.after(() => client.socket.destroy())
  return client
}

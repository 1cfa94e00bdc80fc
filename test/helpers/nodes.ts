import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Driver, Runtime, Service, type ServiceConfig } from 'pilot-dataexchange'
import type { EmbeddedDaemon } from 'pilot-dataexchange/embedded'
import type { PublishedEvent } from 'pilot-dataexchange/plugin'
import { startDaemon } from './embedded.ts'
import { type LogEntry, readFiles, readMessages, recordingLogger } from './service-harness.ts'

/** An embedded daemon and a driver on it. */
export interface PeerNode {
  readonly daemon: EmbeddedDaemon
  readonly driver: Driver
}

/** An embedded daemon with the service, and what it has stored and told. */
export interface ServiceNode extends PeerNode {
  readonly runtime: Runtime
  readonly inboxDir: string
  readonly receivedDir: string
  readonly events: PublishedEvent[]
  readonly log: LogEntry[]
  /** The messages in the inbox, oldest first. */
  messages(): Record<string, unknown>[]
  /** The received files, by name. */
  files(): Map<string, Buffer>
}

/** Starts a node without the service, stopped after the test. Nodes in one `folder` reach each other. */
export async function startPeer(t: TestContext, folder: string, name: string): Promise<PeerNode> {
  const daemon = await startDaemon(t, folder, name)
  const driver = await Driver.connect(daemon.socketPath)
  t.after(() => driver.close())
  return { daemon, driver }
}

/** Starts a node with the service, stopped after the test. */
export async function startServiceNode(
  t: TestContext,
  folder: string,
  name: string,
  config: ServiceConfig = {},
): Promise<ServiceNode> {
  const { daemon, driver } = await startPeer(t, folder, name)
  const inboxDir = join(folder, `${name}-inbox`)
  const receivedDir = join(folder, `${name}-received`)
  const { logger, log } = recordingLogger()
  const runtime = new Runtime({ driver, logger })
  const events: PublishedEvent[] = []
  runtime.events.subscribe('*', event => {
    events.push(event)
  })
  runtime.register(new Service({ inboxDir, receivedDir, ...config }))
  await runtime.start()
  t.after(() => runtime.stop())
  const messages = () => readMessages(inboxDir)
  const files = () => readFiles(receivedDir)
  return { daemon, driver, runtime, inboxDir, receivedDir, events, log, messages, files }
}

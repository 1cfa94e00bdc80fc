import { type Address, DATA_EXCHANGE_PORT, Driver, DriverError, LIMITS } from 'pilot-dataexchange'
import { countMessages, listReceived } from 'pilot-dataexchange/mailbox'
import { Outbox } from 'pilot-dataexchange/outbox'
import { type Context, inboxDir, outboxDir, receivedDir } from '../shared/context.ts'
import { bytesText, durationText, facts, limitText, plural, table } from '../shared/format.ts'
import { safeLine } from '../shared/safe-text.ts'

/** Options of `status`. */
export interface StatusOptions {
  /** Prints a table of all limits. */
  limits?: boolean
}

/** Prints the state of the daemon, this node and its folders. Throws after that if no daemon answers. */
export async function status(context: Context, options: StatusOptions): Promise<void> {
  const { output, socketPath } = context
  const node = await askDaemon(socketPath)
  const folders = await lookIntoFolders(context)
  const isRunning = !(node instanceof DriverError)
  const data = {
    daemon: { running: isRunning, socket: socketPath, ...(isRunning && node.daemon) },
    data_exchange: { port: DATA_EXCHANGE_PORT, answering: isRunning && node.answering },
    ...folders,
    limits: Object.entries(LIMITS).map(([name, limit]) => ({ name, ...limit })),
  }
  output.result(data, () => {
    const { inbox, received, outbox } = folders
    const told = facts([
      ['daemon', isRunning ? daemonText(node.daemon) : 'none answers'],
      ['socket', safeLine(socketPath)],
      ...(isRunning
        ? ([
            ['address', node.daemon.address],
            ['hostname', safeLine(node.daemon.hostname) || '-'],
            ['port 1001', node.answering ? 'data exchange answers' : 'nothing answers: start pilot-dx serve'],
          ] as const)
        : []),
      ['inbox', `${plural(inbox.messages, 'message')}, ${bytesText(inbox.bytes)}, ${safeLine(inbox.dir)}`],
      [
        '',
        `by default at most ${inbox.max_messages}, ${bytesText(inbox.max_bytes)}; beyond it the oldest are removed`,
      ],
      [
        'received',
        `${plural(received.files, 'file')}, ${bytesText(received.bytes)}, ${safeLine(received.dir)}`,
      ],
      ['', `by default at most ${bytesText(received.max_bytes)}; beyond it files are refused`],
      [
        'outbox',
        `${plural(outbox.queued, 'message')} waiting, ${outbox.failed} failed, ${bytesText(outbox.bytes)}, ${safeLine(outbox.dir)}`,
      ],
      ...(outbox.running || outbox.queued === 0
        ? []
        : ([['', 'no process sends it: start pilot-dx serve, or pilot-dx outbox run']] as const)),
      ...(options.limits ? [] : ([['limits', 'pilot-dx status --limits lists all']] as const)),
    ])
    return options.limits ? `${told}\n\n${limitsTable()}` : told
  })
  if (!isRunning) throw node
}

const DIAL_TIMEOUT_MS = 5_000

interface Node {
  daemon: {
    node_id: number
    address: string
    hostname: string
    version: string
    uptime_secs: number
    features: readonly string[]
  }
  answering: boolean
}

async function askDaemon(socketPath: string): Promise<Node | DriverError> {
  try {
    const driver = await Driver.connect(socketPath)
    try {
      const info = await driver.info()
      const { nodeId, address, hostname, version, uptimeSecs, features } = info
      const answering = await answers(driver, address)
      return {
        daemon: {
          node_id: nodeId,
          address: address.toString(),
          hostname,
          version,
          uptime_secs: uptimeSecs,
          features,
        },
        answering,
      }
    } finally {
      await driver.close()
    }
  } catch (error) {
    if (error instanceof DriverError) return error
    throw error
  }
}

async function answers(driver: Driver, address: Address): Promise<boolean> {
  try {
    const stream = await driver.dial(address, DATA_EXCHANGE_PORT, { timeoutMs: DIAL_TIMEOUT_MS })
    stream.destroy()
    return true
  } catch (error) {
    if (error instanceof DriverError) return false
    throw error
  }
}

async function lookIntoFolders(context: Context) {
  const inbox = { dir: inboxDir(context), ...(await countMessages(inboxDir(context))) }
  const received = { dir: receivedDir(context), ...(await listReceived(receivedDir(context))) }
  const { queued, failed, size, running } = await (await Outbox.open({ dir: outboxDir(context) })).counts()
  return {
    outbox: { dir: outboxDir(context), queued, failed, bytes: size, running },
    inbox: {
      dir: inbox.dir,
      messages: inbox.files,
      bytes: inbox.bytes,
      max_messages: LIMITS.inboxMaxFiles.value,
      max_bytes: LIMITS.inboxMaxBytes.value,
    },
    received: {
      dir: received.dir,
      files: received.total,
      bytes: received.files.reduce((sum, file) => sum + file.size, 0),
      max_bytes: LIMITS.receivedMaxBytes.value,
    },
  }
}

/** The table of limits, with the longest column last. */
function limitsTable(): string {
  return table([
    ['limit', 'default', 'set by', 'effect'],
    ...Object.entries(LIMITS).map(([name, limit]) => [
      name,
      limitText(limit),
      limit.option ?? 'fixed',
      limit.about,
    ]),
  ])
}

function daemonText({ version, uptime_secs: uptime }: Node['daemon']): string {
  return `answers, version ${safeLine(version) || 'unknown'}, up ${durationText(uptime * 1000)}`
}

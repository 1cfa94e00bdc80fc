import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pretendReboot } from '../helpers/other-boot.js'
import { SocketStreams } from '../helpers/socket-streams.js'
import { sendInChunks } from './chunked.js'
import { HarnessError, PYTHON, scriptPath } from './commands.js'
import { Disk, type DiskType } from './disk.js'
import { FolderReader } from './folder-reader.js'
import { type Folders, foldersIn, Scratch, segmentsBegun } from './folders.js'
import { makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { anyItem, deliver, Load } from './load.js'
import type { Random } from './random.js'
import type { RowContext, RowReport } from './row.js'
import { anySegmentBytes, ServiceProcess } from './service-process.js'

/** Cuts before the disk is made anew; a fuller one would only take longer to compare. */
const CUTS_A_DISK = 5
const MAX_BYTES = 1024 * 1024

/**
 * Load, power cut, mount again, start again, compare; another program reads the folders all the while a service runs.
 * Now and then the power goes once more while the service starts, or right after that.
 */
export async function cutPower(type: DiskType, { n, random }: RowContext): Promise<RowReport> {
  using scratch = new Scratch()
  await using disk = new Disk(scratch.path, type)
  const folders = foldersIn(disk.mountPoint)
  await using reader = new FolderReader(folders)
  const failures: string[] = []
  const counts = { sent: 0, acknowledged: 0, refused: 0, read: 0, segments: 0, cutAgain: 0 }
  for (let done = 0; done < n; done += CUTS_A_DISK) {
    disk.format()
    await disk.mount()
    const ledger = new Ledger(folders)
    for (let i = done; i < Math.min(n, done + CUTS_A_DISK); i++) {
      reader.resume()
      const socket = join(scratch.path, 's')
      if (random.chance(0.5)) await cutUnderLoad({ socket, folders, disk, ledger, random })
      else await cutAfterAnswer({ socket, folders, disk, ledger, random })
      failures.push(...(await reader.pause()))
      await restartMachine(disk, folders)
      counts.segments += segmentsBegun(folders)
      for (; random.chance(0.25); counts.cutAgain++) await cutAtStart({ socket, folders, disk, random })
      await using _ = await ServiceProcess.start({ socket, config: folders })
      ledger.open()
      failures.push(...ledger.compare())
    }
    await disk.unmount()
    for (const [name, count] of Object.entries(ledger.totals)) counts[name as keyof typeof counts] += count
  }
  counts.read = reader.reads
  return { n, failures, counts }
}

/** After a power cut: what is on the disk is of an earlier boot then. */
export async function restartMachine(disk: Disk, { inboxDir }: Folders): Promise<void> {
  await disk.unmount()
  await disk.mount()
  pretendReboot(inboxDir)
}

/** Cuts the power of a service that is starting, or has just started. */
export async function cutAtStart({ socket, folders, disk, random }: Omit<Cut, 'ledger'>): Promise<void> {
  await using cutter = await Cutter.start(disk.mountPoint)
  await using service = ServiceProcess.spawn({ socket, config: folders })
  const moment = random.chance(0.3) ? service.serving : delay(random.integer(50, 300))
  await moment
  await cutter.cut()
  await service.kill()
  await restartMachine(disk, folders)
}

interface Cut {
  readonly socket: string
  readonly folders: Folders
  readonly disk: Disk
  readonly ledger: Ledger
  readonly random: Random
}

async function cutUnderLoad({ socket, folders, disk, ledger, random }: Cut): Promise<void> {
  await using service = await ServiceProcess.start({
    socket,
    config: folders,
    segmentBytes: anySegmentBytes(random),
  })
  await using cutter = await Cutter.start(disk.mountPoint)
  const load = new Load({ dial: () => service.dial(), ledger, random, maxBytes: MAX_BYTES })
  await delay(random.integer(0, 250))
  await cutter.cut(ledger)
  await service.kill()
  await load.ended
}

/** At the moment when the last answer has come and nothing else flushes the disk: the hardest one. */
async function cutAfterAnswer({ socket, folders, disk, ledger, random }: Cut): Promise<void> {
  await using service = await ServiceProcess.start({
    socket,
    config: folders,
    segmentBytes: anySegmentBytes(random),
  })
  await using cutter = await Cutter.start(disk.mountPoint)
  const client = await service.dial()
  if (random.chance(0.5)) await deliverInChunks(socket, ledger, random)
  for (let rounds = random.integer(1, 4); rounds > 0; rounds--) {
    const items = Array.from({ length: random.integer(1, 6) }, () => anyItem(random, MAX_BYTES))
    await Promise.all(items.map(item => deliver(client, item, ledger)))
  }
  await cutter.cut(ledger)
  await service.kill()
  await client.close().catch(() => {})
}

async function deliverInChunks(socket: string, ledger: Ledger, random: Random): Promise<void> {
  const item = makeItem(random, 'FILE', random.integer(1, MAX_BYTES))
  await sendInChunks({ stream: await new SocketStreams(socket).dial(), item, ledger })
}

/** Waits, ready to cut the power of one file system at once. */
export class Cutter {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(mountPoint: string): Promise<Cutter> {
    const child = spawn(PYTHON, [scriptPath('power-cut.py'), mountPoint], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit').then(() => false)
    const isReady = await Promise.race([once(child.stdout, 'data').then(() => true), ended])
    if (!isReady) throw new HarnessError(`what cuts the power ended with ${child.exitCode}`)
    return new Cutter(child)
  }

  /** Cuts; what is answered from here on no peer would get to read. */
  async cut(ledger?: Pick<Ledger, 'close'>): Promise<void> {
    ledger?.close()
    this.#child.stdin?.end('cut\n')
    const [status] = await once(this.#child, 'exit')
    if (status !== 0) throw new HarnessError('the power could not be cut')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.stdin?.end()
    await once(this.#child, 'exit')
  }
}

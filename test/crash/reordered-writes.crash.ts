import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { pretendReboot } from '../helpers/other-boot.js'
import { BlockLog } from './block-log.js'
import { mountImage, unmount } from './disk.js'
import { type Folders, foldersIn, look, Scratch, type Seen, segmentsBegun } from './folders.js'
import { Ledger } from './ledger.js'
import { Load } from './load.js'
import { LoggedDisk } from './logged-disk.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * Writes that a disk has not been told to flush are lost or kept at random, at random moments of a load: what
 * was acknowledged before the moment is there in every image.
 */
export const row: Row = {
  needs: ['linux', 'root', 'loop', 'ext4', 'python', 'nbdkit', 'nbdfuse'],
  ci: 100,
  record: 1_000,
  run,
}

const DISK_SIZE = 64 * 2 ** 20
const IMAGES_A_LOAD = 100
const LOAD_MS = 2_500

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { requests: 0, lostSectors: 0, mustBeThere: 0, acknowledged: 0, segments: 0 }
  for (let done = 0; done < n; done += IMAGES_A_LOAD) {
    using scratch = new Scratch()
    const recording = await record(scratch.path, random)
    const { log, startNs } = recording
    counts.acknowledged += recording.acknowledged.length
    counts.segments += recording.segments
    const first = log.indexAt(startNs)
    counts.requests += log.length - first
    const moments = Array.from({ length: Math.min(IMAGES_A_LOAD, n - done) }, () =>
      random.integer(first, log.length - 1),
    ).sort((a, b) => a - b)
    const replay = log.replay(DISK_SIZE)
    // In memory where that can be: every image is written whole.
    using images = new Scratch(existsSync('/dev/shm') ? '/dev/shm' : undefined)
    const image = join(images.path, 'image')
    const mountPoint = join(scratch.path, 'logged')
    for (const moment of moments) {
      replay.advance(moment)
      const file = openSync(image, 'w')
      counts.lostSectors += replay.crash(file, random)
      closeSync(file)
      const cutAtNs = log.timeOf(moment)
      const due = new Map<string, number>()
      for (const { key, atNs } of recording.acknowledged) {
        if (atNs < cutAtNs) due.set(key, (due.get(key) ?? 0) + 1)
      }
      counts.mustBeThere += due.size
      await mountImage(image, mountPoint)
      const found = await lookAfterRestart(foldersIn(mountPoint))
      await unmount(mountPoint)
      const torn = found.filter(({ key }) => key === undefined).map(({ path }) => `not whole: ${path}`)
      const problems = [...torn, ...recording.ledger.judge(found, key => due.get(key) ?? 0)]
      failures.push(...problems.map(problem => `image at request ${moment}: ${problem}`))
    }
  }
  return { n, failures, counts }
}

async function lookAfterRestart(folders: Folders): Promise<Seen[]> {
  pretendReboot(folders.inboxDir)
  const mailbox = await Mailbox.open({ ...folders, inboxMaxFiles: 1e9, inboxMaxBytes: -1, unpack: false })
  const found = look(folders)
  await mailbox.close()
  return found
}

interface Recording {
  readonly log: BlockLog
  readonly startNs: bigint
  readonly ledger: Ledger
  /** Segments of the journal. */
  readonly segments: number
  readonly acknowledged: readonly { key: string; atNs: bigint }[]
}

/** Saves on a disk that logs what it is asked for. */
async function record(folder: string, random: Random): Promise<Recording> {
  await using disk = await LoggedDisk.start(folder, DISK_SIZE)
  const folders = foldersIn(disk.mountPoint)
  const acknowledged: { key: string; atNs: bigint }[] = []
  const ledger = new TimedLedger(folders, acknowledged)
  const startNs = process.hrtime.bigint()
  await using service = await ServiceProcess.start({
    socket: join(folder, 's'),
    config: folders,
    segmentBytes: random.integer(1, 500_000),
  })
  const options = { dial: () => service.dial(), ledger, random, maxBytes: 64 * 1024 }
  for (const end = performance.now() + LOAD_MS; performance.now() < end; ) {
    // Few at a time: the fewer flush, the longer a mistake stays unmended.
    const load = new Load({ ...options, connections: random.integer(1, 3), window: random.integer(1, 3) })
    await delay(random.integer(50, 300))
    load.stop()
    await load.ended
  }
  await service.kill()
  const segments = segmentsBegun(folders)
  await disk.stop()
  return { log: new BlockLog(disk.log), startNs, ledger, acknowledged, segments }
}

class TimedLedger extends Ledger {
  readonly #acknowledged: { key: string; atNs: bigint }[]

  constructor(
    folders: ConstructorParameters<typeof Ledger>[0],
    acknowledged: { key: string; atNs: bigint }[],
  ) {
    super(folders)
    this.#acknowledged = acknowledged
  }

  override count(key: string, what: 'sent' | 'acknowledged' | 'refused'): void {
    super.count(key, what)
    if (what === 'acknowledged') this.#acknowledged.push({ key, atNs: process.hrtime.bigint() })
  }
}

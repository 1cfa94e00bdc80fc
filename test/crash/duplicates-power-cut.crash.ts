import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Book, send } from './book.js'
import { Disk } from './disk.js'
import { foldersIn, Scratch } from './folders.js'
import { Cutter, cutAtStart, restartMachine } from './power-cut.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { anySegmentBytes, type ServiceOptions, ServiceProcess } from './service-process.js'

/**
 * Power cut while everything is sent under a message id, or right after the last answer; then all of it is sent
 * again under the same ids: each has one copy, and what was acknowledged is a duplicate.
 */
export const row: Row = { needs: ['linux', 'root', 'python', 'loop', 'ext4'], ci: 20, record: 200, run }

/** Cuts before the disk is made anew. */
const CUTS_A_DISK = 5
const SENDERS = 4

async function run({ n, random }: RowContext): Promise<RowReport> {
  using scratch = new Scratch()
  await using disk = new Disk(scratch.path, 'ext4')
  const config = foldersIn(disk.mountPoint)
  const options = { socket: join(scratch.path, 's'), config }
  const failures: string[] = []
  const counts = { messages: 0, duplicates: 0, cutAgain: 0, killedBefore: 0 }
  for (let done = 0; done < n; done += CUTS_A_DISK) {
    disk.format()
    await disk.mount()
    const book = new Book(config, random)
    for (let i = done; i < Math.min(n, done + CUTS_A_DISK); i++) {
      if (random.chance(0.5)) {
        await killUnderLoad(options, book, random)
        counts.killedBefore++
      }
      {
        await using service = await ServiceProcess.start({
          ...options,
          segmentBytes: anySegmentBytes(random),
        })
        await using cutter = await Cutter.start(disk.mountPoint)
        await sendAndCut(service, cutter, book, random)
      }
      await restartMachine(disk, config)
      for (; random.chance(0.3); counts.cutAgain++)
        await cutAtStart({ socket: options.socket, folders: config, disk, random })
      book.open()
      await using service = await ServiceProcess.start(options)
      book.compare()
      const again = book.all
      await send(service, book, () => again.shift())
      book.compare()
    }
    await disk.unmount()
    failures.push(...book.failures, ...book.unacknowledged().map(({ key }) => `never acknowledged: ${key}`))
    counts.messages += book.counts.messages
    counts.duplicates += book.counts.duplicates
  }
  return { n, failures, counts }
}

/** A part of the remaining messages is sent again before the power cut. */
async function killUnderLoad(options: ServiceOptions, book: Book, random: Random): Promise<void> {
  await using service = await ServiceProcess.start(options)
  const senders = Array.from({ length: SENDERS }, () => send(service, book, () => book.next()))
  await delay(random.integer(0, 100))
  await service.kill()
  await Promise.all(senders)
}

async function sendAndCut(
  service: ServiceProcess,
  cutter: Cutter,
  book: Book,
  random: Random,
): Promise<void> {
  // With a few messages the last answer comes before the cut, and nothing else flushes the disk.
  let left = random.chance(0.5) ? random.integer(1, 12) : Number.POSITIVE_INFINITY
  const senders = Array.from({ length: SENDERS }, () =>
    send(service, book, () => (left-- > 0 ? book.next() : undefined)),
  )
  if (left === Number.POSITIVE_INFINITY) await delay(random.integer(0, 200))
  else await Promise.all(senders)
  await cutter.cut(book)
  await service.kill()
  await Promise.all(senders)
}

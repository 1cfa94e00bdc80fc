import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Outbox } from '#lib/outbox/outbox.js'
import { Child } from './child-process.js'
import { Disk } from './disk.js'
import { Scratch } from './folders.js'
import { Cutter } from './power-cut.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'

/**
 * Power cut while messages are added to an outbox, or right after the last was: each one that was said to be added
 * is there, whole.
 */
export const row: Row = { needs: ['linux', 'root', 'python', 'loop', 'ext4'], ci: 20, record: 200, run }

/** Cuts before the disk is made anew. */
const CUTS_A_DISK = 5

async function run({ n, random }: RowContext): Promise<RowReport> {
  using scratch = new Scratch()
  await using disk = new Disk(scratch.path, 'ext4')
  const failures: string[] = []
  const counts = { added: 0, found: 0 }
  for (let i = 0; i < n; i++) {
    if (i % CUTS_A_DISK === 0) {
      await disk.unmount()
      disk.format()
      await disk.mount()
    }
    const dir = join(disk.mountPoint, `outbox-${i}`)
    const added = await addAndCut(dir, disk, random)
    await disk.unmount()
    await disk.mount()
    const found = await (await Outbox.open({ dir })).list()
    const whole = new Set(found.filter(({ status }) => status === 'queued').map(({ id }) => id))
    failures.push(...added.filter(id => !whole.has(id)).map(id => `added, and lost: ${id}`))
    failures.push(...found.filter(({ status }) => status !== 'queued').map(entry => JSON.stringify(entry)))
    counts.added += added.length
    counts.found += found.length
  }
  return { n, failures, counts }
}

/** Gives the ids that were said to be added before the cut. */
async function addAndCut(dir: string, disk: Disk, random: Random): Promise<readonly string[]> {
  const isShort = random.chance(0.5)
  await using cutter = await Cutter.start(disk.mountPoint)
  await using adder = new Child('outbox-adder-child.js', dir, String(isShort ? random.integer(1, 20) : 1e9))
  let ids: string[] = []
  const told: string[] = []
  adder.lines.on('line', line => /^[0-9a-f]{32}$/.test(line) && told.push(line))
  // The last of a few messages is added before the cut, and nothing else flushes the disk.
  await adder.line(isShort ? /^(added|failed)/ : /^adding/)
  if (!isShort) await delay(random.integer(0, 150))
  await cutter.cut({
    close: () => {
      ids = [...told]
    },
  })
  if (!adder.isAlive) throw new Error('what adds the messages has ended')
  await adder.kill()
  return ids
}

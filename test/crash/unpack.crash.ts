import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openFolder } from '#lib/client/source/folder-source.js'
import { all, makeTree, snapshot } from '../helpers/folder-tree.js'
import { type Folders, foldersIn, Scratch, temporaries, visible } from './folders.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * SIGKILL at a random moment after the ACK of a folder, while it is unpacked, once or twice, then a restart: what is
 * visible is the archive or the folder, whole, at any time, and in the end the folder alone.
 */
export const row: Row = { needs: [], ci: 50, record: 500, run }

const MOST_FILES = 200
const MOST_BYTES = 40_000
/** About as long as one is unpacked. */
const LONGEST_MS = 120
const SETTLED_MS = 30_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { archives: 0, folders: 0, both: 0 }
  for (let kills = 0; kills < n; ) {
    using scratch = new Scratch()
    const source = makeSource(join(scratch.path, 'source'), random)
    const expected = JSON.stringify(snapshot(source))
    const archive = Buffer.concat(
      await all((await openFolder(source, { root: 'f', skipSpecial: false })).pieces()),
    )
    const folders = foldersIn(scratch.path)
    const victim = { socket: join(scratch.path, 's'), config: folders }
    const seen = () => compare(folders, archive, expected)

    for (let killsHere = 0; killsHere === 0 || (killsHere < 3 && random.chance(0.4)); killsHere++, kills++) {
      await using service = await ServiceProcess.start(victim)
      if (killsHere === 0) await deliver(service, archive)
      await delay(random.next() ** 2 * LONGEST_MS)
      await service.kill()
      const { archives, whole, problems } = seen()
      failures.push(...problems)
      if (archives + whole === 0) failures.push('a folder that was acknowledged is lost')
      if (archives > 0) counts.archives++
      if (whole > 0) counts.folders++
      if (archives > 0 && whole > 0) counts.both++
    }
    await using service = await ServiceProcess.start(victim)
    await settled(folders)
    const { archives, whole, problems } = seen()
    failures.push(...problems)
    // It may stay if its queue entry was not written before the kill, or after three kills.
    if (archives + whole !== 1) failures.push(`${archives} archives and ${whole} folders at the end`)
    failures.push(...temporaries(folders).map(path => `not swept: ${path}`))
    await service.kill()
  }
  return { n, failures, counts }
}

function makeSource(dir: string, random: Random): string {
  const tree: Record<string, Uint8Array> = { 'empty/': new Uint8Array(0) }
  for (let i = random.integer(1, MOST_FILES); i > 0; i--) {
    const size = random.chance(0.1) ? 0 : random.integer(1, MOST_BYTES)
    tree[`${i % 3 === 0 ? 'd/' : ''}${i % 5 === 0 ? 'é/' : ''}${i}`] = random.bytes(size)
  }
  return makeTree(dir, tree)
}

async function deliver(service: ServiceProcess, archive: Uint8Array): Promise<void> {
  const client = await service.dial()
  await client.deliver({ file: archive, name: 'f.tar' })
  // It may be gone before it says goodbye.
  void client.close().catch(() => {})
}

function compare({ receivedDir }: Folders, archive: Uint8Array, expected: string) {
  const problems: string[] = []
  let archives = 0
  let whole = 0
  for (const name of visible(receivedDir)) {
    const path = join(receivedDir, name)
    if (name.endsWith('.tar')) {
      archives++
      if (!readFileSync(path).equals(archive)) problems.push(`a damaged archive: ${path}`)
    } else {
      whole++
      if (JSON.stringify(snapshot(path)) !== expected) problems.push(`not the folder that was sent: ${path}`)
    }
  }
  return { archives, whole, problems }
}

/** Resolves when nothing is to be unpacked any more. */
async function settled({ receivedDir }: Folders): Promise<void> {
  const notes = join(receivedDir, '.unpacking')
  for (const end = performance.now() + SETTLED_MS; performance.now() < end; await delay(10)) {
    if (!existsSync(notes) || readdirSync(notes).length === 0) return
  }
}

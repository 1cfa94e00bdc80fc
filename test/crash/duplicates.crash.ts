import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Book, send } from './book.js'
import { foldersIn, Scratch } from './folders.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * SIGKILL at random times while senders send everything under a message id, again and again until it is
 * acknowledged, and now and then after that: every id has one copy. Some of what is acknowledged is read and
 * removed, and must not come back.
 */
export const row: Row = { needs: [], ci: 100, record: 2_000, run }

/** Rounds on the same folders: well within the memory of ids. */
const ROUNDS_A_FOLDER = 25
const SENDERS = 8

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { messages: 0, duplicates: 0, removed: 0 }
  for (let done = 0; done < n; done += ROUNDS_A_FOLDER) {
    using scratch = new Scratch()
    const folders = foldersIn(scratch.path)
    const victim = { socket: join(scratch.path, 's'), config: folders }
    const book = new Book(folders, random)
    for (let round = done; round < Math.min(n, done + ROUNDS_A_FOLDER); round++) {
      await using service = await ServiceProcess.start(victim)
      const senders = Array.from({ length: SENDERS }, () => send(service, book, () => book.next()))
      await delay(random.integer(0, 200))
      await service.kill()
      await Promise.all(senders)
      book.compare()
      book.removeSome()
    }
    await using service = await ServiceProcess.start(victim)
    const open = book.unacknowledged()
    await send(service, book, () => open.shift())
    book.compare()
    failures.push(...book.failures, ...book.unacknowledged().map(({ key }) => `never acknowledged: ${key}`))
    for (const [name, count] of Object.entries(book.counts)) counts[name as keyof typeof counts] += count
  }
  return { n, failures, counts }
}

// Run as a child: `node reader-child.js INBOX RECEIVED`. Reads whatever becomes visible, as soon as it can.
// Told 'pause' or 'resume' it obeys, and reports how many it has read and which were not whole.
import { type Folders, look } from './folders.js'

const [inboxDir = '', receivedDir = ''] = process.argv.slice(2)
const folders: Folders = { inboxDir, receivedDir }
const known = new Set<string>()
let reads = 0
let torn: string[] = []
let isPaused = true

process.on('disconnect', () => process.exit())
process.on('message', message => {
  isPaused = message === 'pause'
  if (isPaused) {
    process.send?.({ reads, torn })
    known.clear()
    torn = []
  } else poll()
})

function poll(): void {
  if (isPaused) return
  for (const { path, key } of look(folders, path => known.has(path), true)) {
    reads++
    known.add(path)
    if (key === undefined) torn.push(path)
  }
  setTimeout(poll, 1)
}

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FileReceipt } from 'pilot-dataexchange'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { CuttingProxy } from '../helpers/cutting-proxy.js'
import { type Folders, foldersIn, Scratch, visible } from './folders.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/** A file of n MB, whose sender loses its daemon 20 times: it arrives, verified, without help. */
export const row: Row = { needs: ['linux'], ci: 50, record: 1_000, run }

const CUTS = 20
const MB = 1_000_000
const MiB = 1024 * 1024
const MOST_MEMORY = 120 * MB

async function run({ n, random }: RowContext): Promise<RowReport> {
  using scratch = new Scratch()
  const folders = foldersIn(scratch.path)
  const path = join(scratch.path, 'file.bin')
  const size = n * MB + random.integer(0, 99_999)
  const sha256 = await makeFile(path, size, random)

  const directory = join(scratch.path, 'nodes')
  const socket = (name: string) => join(scratch.path, `${name}.sock`)
  await using receiver = await EmbeddedDaemon.start({ socketPath: socket('a'), directory, hostname: 'a' })
  await using sender = await EmbeddedDaemon.start({ socketPath: socket('b'), directory, hostname: 'b' })
  await using service = await ServiceProcess.start({
    socket: '',
    config: folders,
    daemon: receiver.socketPath,
  })
  // Not before the first connection stands, which is not tried again, and not after DONE: whether a file whose
  // COMPLETE was lost is there nobody can know.
  const cuts = Array.from({ length: CUTS }, () => random.integer(100_000, size - MB))
  await using proxy = await CuttingProxy.start(socket('cut'), sender.socketPath, cuts)

  const startedAt = performance.now()
  const argument = JSON.stringify({ socket: socket('cut'), address: `${receiver.address}`, path })
  const sent = await promisify(execFile)(process.execPath, [CHILD, argument]).catch((error: Error) => error)
  if (sent instanceof Error) return { n: CUTS, failures: [`it was not sent: ${sent.message}`], counts: {} }
  const { stdout } = sent
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  const receipt: FileReceipt & { peak: number } = JSON.parse(stdout)
  const peaks = { sender: receipt.peak, receiver: peakOf(service.pid) }

  const failures = await wrongIn(folders, sha256)
  if (!receipt.verified || receipt.sha256 !== sha256) failures.push(`the receipt: ${stdout}`)
  if (proxy.made < CUTS) failures.push(`${proxy.made} cuts were made`)
  if (receipt.reconnects < CUTS) failures.push(`connected again ${receipt.reconnects} times`)
  for (const [who, peak] of Object.entries(peaks)) {
    if (peak >= MOST_MEMORY) failures.push(`the ${who} took ${Math.round(peak / MiB)} MiB`)
  }
  const counts = {
    fileMB: n,
    sentMB: Math.round(receipt.bytesSent / MB),
    reconnects: receipt.reconnects,
    senderMiB: Math.round(peaks.sender / MiB),
    receiverMiB: Math.round(peaks.receiver / MiB),
    seconds,
  }
  return { n: CUTS, failures, counts }
}

/** Writes `size` random bytes, and gives their SHA-256. */
async function makeFile(path: string, size: number, random: Random): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha256')
  for (let left = size; left > 0; ) {
    const block = random.bytes(Math.min(left, MB))
    hash.update(block)
    await file.write(block)
    left -= block.length
  }
  return hash.digest('hex')
}

async function wrongIn({ receivedDir }: Folders, sha256: string): Promise<string[]> {
  const names = readdirSync(receivedDir, { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ name }) => name)
  if (names.length !== 1) return [`${names.length} files are there: ${names.join(', ')}`]
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(join(receivedDir, names[0] ?? ''))) hash.update(chunk)
  const partials = visible(join(receivedDir, '.partial'))
  return [
    ...(hash.digest('hex') === sha256 ? [] : ['the file is another']),
    ...partials.map(name => `left behind: ${name}`),
  ]
}

/** The largest memory of a process so far, in bytes. */
function peakOf(pid: number): number {
  const [, kB] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kB) * 1024
}

const CHILD = fileURLToPath(new URL('transfer-child.js', import.meta.url))

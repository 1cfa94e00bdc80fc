import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AbusedService } from './abused-service.js'
import { foldersIn, Scratch, visible } from './folders.js'
import { readWire, writeWire } from './frame-oracle.js'
import { naughtyNames } from './naughty-names.js'
import type { Row, RowContext, RowReport } from './row.js'

/** Files under names that do harm where a name is taken as it is. */
export const row: Row = { needs: ['linux'], ci: 2_000, record: 1_000_000, run }

/** Names for one service and its folders. */
const NAMES_A_SERVICE = 10_000
/** Most of them wait: a connection that is closed over a name stays for half a second. */
const AT_ONCE = 200
/** Names on one connection, until one closes it. */
const NAMES_A_CONNECTION = 8
const CAP = 2 ** 20

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { stored: 0, closed: 0, refused: 0 }
  const names = naughtyNames(random)
  for (let done = 0; done < n; done += NAMES_A_SERVICE) {
    using scratch = new Scratch()
    const folders = foldersIn(join(scratch.path, 'home'))
    await using service = await AbusedService.start(join(scratch.path, 's'), {
      ...folders,
      // Nothing here is about power.
      durability: 'os',
    })
    const expected = new Map<string, Buffer>()
    const due = Math.min(n - done, NAMES_A_SERVICE)
    let made = 0
    const sender = async (node: number) => {
      const waiting: Upload[] = []
      for (;;) {
        while (made < due && waiting.length < NAMES_A_CONNECTION) {
          const name = names.next().value as Buffer
          waiting.push({ name, content: Buffer.from(`${made++} ${random.next()}`) })
        }
        if (waiting.length === 0) return
        const answers = await send(service, node, waiting)
        // The one after the last answer closed the connection; those behind it come with the next.
        const done = waiting.splice(0, Math.min(answers.length + 1, waiting.length))
        for (const [i, upload] of done.entries()) judge(upload, answers[i])
      }
    }
    const judge = ({ name, content }: Upload, answer: string | undefined) => {
      const { end } = readWire(writeWire({ type: 4, name, payload: content }), CAP)
      if (answer === `ACK FILE ${content.length} bytes`) {
        counts.stored++
        expected.set(content.toString(), name)
        if (end !== 'clean') failures.push(`stored, and not closed with ${end}: ${show(name)}`)
      } else if (answer === undefined) {
        counts.closed++
        if (end === 'clean') failures.push(`closed over ${show(name)}`)
      } else {
        counts.refused++
        failures.push(`${answer} to ${show(name)}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => sender(i + 1)))
    if (!service.isAlive) failures.push('the service died')
    failures.push(...faultsOf(folders.receivedDir, expected))
    failures.push(...outside(scratch.path, folders))
  }
  return { n, failures, counts }
}

interface Upload {
  readonly name: Buffer
  readonly content: Buffer
}

/** Sends files, and gives the text of each answer; there are fewer where the connection is closed instead. */
async function send(service: AbusedService, node: number, uploads: readonly Upload[]): Promise<string[]> {
  const socket = await service.connect(node)
  socket.write(
    Buffer.concat(uploads.map(({ name, content }) => writeWire({ type: 4, name, payload: content }))),
  )
  let bytes: Buffer = Buffer.alloc(0)
  let answers: string[] = []
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk])
    answers = readWire(bytes, CAP).frames.map(({ payload }) => payload.toString())
    if (answers.length === uploads.length) break
  }
  return answers
}

/** Returns the errors in the received folder. */
function faultsOf(dir: string, expected: ReadonlyMap<string, Buffer>): string[] {
  const missing = new Map(expected)
  const faults: string[] = []
  for (const entry of readdirSync(dir, { withFileTypes: true, encoding: 'buffer' })) {
    const { name } = entry
    if (['.tmp', '.records'].some(hidden => name.equals(Buffer.from(hidden)))) continue
    const text = name.toString()
    const content = entry.isFile() ? readFileSync(join(dir, text), 'utf8') : ''
    const sent = missing.get(content)
    if (sent === undefined) faults.push(`not what was sent: ${JSON.stringify(text)}`)
    else if (!isSafe(name)) faults.push(`${JSON.stringify(text)} for ${show(sent)}`)
    missing.delete(content)
  }
  return [...faults, ...[...missing.values()].map(name => `acknowledged, and not there: ${show(name)}`)]
}

/** By these rules of its own, not by those of the library. */
function isSafe(name: Buffer): boolean {
  const text = name.toString()
  const isUtf8 = Buffer.from(text).equals(name)
  const isPlain = ![...text].some(char => isHarmful(char.codePointAt(0) ?? 0))
  const stem = text.split('.')[0]?.toUpperCase() ?? ''
  return name.length <= 255 && isUtf8 && isPlain && !/^[.-]|[. ]$/.test(text) && !DEVICES.has(stem)
}

function isHarmful(code: number): boolean {
  const within = (low: number, high: number) => code >= low && code <= high
  const isControl = code < 0x20 || within(0x7f, 0x9f) || code === 0x2f || code === 0x5c
  const isFormat =
    within(0x200b, 0x200f) || within(0x2028, 0x202e) || within(0x2060, 0x206f) || code === 0xfeff
  const isTag = code === 0xad || code === 0x61c || code === 0x180e || within(0xe0001, 0xe007f)
  return isControl || isFormat || isTag || within(0xd800, 0xdfff) || within(0xfff9, 0xfffb)
}

const DEVICES: ReadonlySet<string> = new Set([
  ...['CON', 'PRN', 'AUX', 'NUL'],
  ...['1', '2', '3', '4', '5', '6', '7', '8', '9', '¹', '²', '³'].flatMap(digit => [
    `COM${digit}`,
    `LPT${digit}`,
  ]),
])

/** Files in places that must be empty. */
function outside(root: string, { inboxDir, receivedDir }: ReturnType<typeof foldersIn>): string[] {
  const home = dirname(inboxDir)
  const strange = [
    ...visible(root).filter(name => name !== 'home' && name !== 's'),
    ...visible(home).filter(name => ![inboxDir, receivedDir].includes(join(home, name))),
    ...visible(inboxDir),
  ]
  if (realpathSync(receivedDir) !== receivedDir) strange.push(receivedDir)
  return strange.map(name => `where nothing should be: ${name}`)
}

function show(name: Buffer): string {
  return name.length > 300
    ? `a name of ${name.length} bytes`
    : `${JSON.stringify(name.toString())} (${name.toString('hex')})`
}

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Command } from '#lib/pilot/ipc-messages.js'
import { runInProcess } from '../../helpers/cli-in-process.js'
import { readFiles, readMessages } from '../../helpers/service-harness.js'
import { isData, laneOf } from './lanes.js'
import { Line, ReplayBox } from './replay-box.js'
import { Names, plainJson, plainStream, sameFields } from './rules.js'
import { unpack } from './runs.js'
import { homeOf, withoutFolder } from './stored.js'
import {
  daemonSocket,
  type Event,
  type Home,
  type Program,
  parseEvent,
  type Transcript,
} from './transcript.js'

/**
 * Runs our programs of a recording again, and plays the original's side of it: its clients on our daemon, or its
 * daemon for our programs. A message of theirs is sent as soon as everything has come that ours had sent before it;
 * what ours sends, tells and stores has to be what was recorded.
 */
export async function replay(t: TestContext, transcript: Transcript): Promise<void> {
  const scene = new Scene(t, transcript)
  for (const [index, line] of transcript.events.entries()) {
    try {
      await within(LONGEST_WAIT_MS, scene.play(parseEvent(line)))
    } catch (error) {
      const at = `${transcript.name}, event ${index}, ${line.slice(0, 200)}`
      throw new Error(`${at}: ${(error as Error).message}`, { cause: error })
    }
  }
  scene.compareHomes()
}

/** Past this a replay fails. */
const LONGEST_WAIT_MS = 60_000

/** Whether there is anything of ours in a recording that can be run again. */
export function isReplayable({ programs, homes }: Transcript): boolean {
  const isDriven = programs.some(({ name }) => name === 'driver')
  return !isDriven && programs.some(program => speaksToTheOthers(program, homes) || isEmbedded(program))
}

type MessageEvent = Extract<Event, { kind: 'message' }>
type CloseEvent = Extract<Event, { kind: 'close' }>

class Scene {
  readonly #transcript: Transcript
  readonly #names = new Names()
  readonly #boxes = new Map<string, ReplayBox>()
  readonly #running = new Map<number, ReturnType<typeof runInProcess>>()
  readonly #waiting = new Map<number, Line[]>()
  readonly #lines = new Map<string, Line>()
  readonly #wakers = new Map<number, () => void>()
  readonly #hasLeft = new Set<string>()
  readonly #t: TestContext

  constructor(t: TestContext, transcript: Transcript) {
    this.#t = t
    this.#transcript = transcript
    for (const [name, home] of Object.entries(transcript.homes)) {
      const box = new ReplayBox(t)
      mkdirSync(box.home, { mode: 0o700 })
      if (home.daemon === 'ours') {
        // The node has the address that it had.
        writeFileSync(join(box.home, 'embedded-node.json'), JSON.stringify({ address: home.address }))
      }
      this.#boxes.set(name, box)
    }
  }

  async play(event: Event): Promise<void> {
    if (event.kind === 'file') return this.#box(event.home).put(event.path, unpack(event.content))
    const program = this.#transcript.programs[event.program] as Program
    if (event.kind === 'start') return this.#start(event.program, program)
    if (event.kind === 'exit') return this.#exit(event.program, program)
    if (!speaksToTheOthers(program, this.#transcript.homes)) return undefined
    const key = `${event.program}.${event.connection}`
    if (event.kind === 'open') {
      this.#lines.set(
        key,
        program.whose === 'ours' ? await this.#accepted(event.program) : await this.#dial(program),
      )
      return undefined
    }
    const line = this.#lines.get(key) as Line
    const isOurs = (event.from === 'client') === (program.whose === 'ours')
    if (event.kind === 'close') return this.#close(event, key, line, isOurs)
    if (!isOurs) return line.send(event.command, this.#outgoing(event, key))
    // Our writes at the moment when the other side leaves are random.
    if (!this.#hasLeft.has(key)) await this.#expect(event, key, line)
    return undefined
  }

  compareHomes(): void {
    for (const [key, line] of this.#lines) {
      if (!this.#hasLeft.has(key))
        assert.deepEqual(line.unexpected(), [], `${key} sent more than was recorded`)
    }
    for (const [name, home] of Object.entries(this.#transcript.homes)) {
      if (home.service !== 'ours') continue
      const box = this.#box(name)
      const stored = homeOf({
        ...home,
        messages: () => folderOr([], () => readMessages(join(box.home, 'inbox'))),
        files: () => folderOr(new Map(), () => readFiles(join(box.home, 'received'))),
      })
      const parts = ({ inbox, received }: Home) => plainJson({ inbox, received: sorted(received) })
      const recorded = this.#names.translateJson(parts(home))
      assert.deepEqual(sameFields(parts(stored), recorded), recorded, `stored in ${name}`)
    }
  }

  async #start(index: number, program: Program): Promise<void> {
    if (program.whose === 'theirs') return
    const isSilent = !this.#transcript.events.includes(`${index}.0 open`)
    if (isSilent && !isEmbedded(program)) return
    const box = this.#box(program.home)
    const args = box.args(this.#names.translateJson(program.args) as string[])
    if (isEmbedded(program)) {
      await box.serve(box.socket, args).line(/"status":"ok"/)
      return
    }
    const path = daemonSocket(box.dir, index)
    this.#waiting.set(index, [])
    const server = createServer(socket => {
      this.#t.after(() => socket.destroy())
      this.#waiting.get(index)?.push(new Line(socket))
      this.#wakers.get(index)?.()
    })
    server.listen(path)
    this.#t.after(() => server.close())
    // It runs to the end of the test.
    if (program.exit === undefined) box.serve(path, args)
    else this.#running.set(index, runInProcess(['--socket', path, '--home', box.home, ...args]))
  }

  async #exit(index: number, program: Program): Promise<void> {
    const running = this.#running.get(index)
    if (running === undefined) return
    const { code, printed } = await running
    const told: unknown = JSON.parse(printed.trimEnd().split('\n').at(-1) ?? '')
    const result = plainJson(withoutFolder(told, this.#box(program.home).dir))
    const recorded = plainJson(this.#names.translateJson(program.result))
    assert.deepEqual([code, sameFields(result, recorded)], [program.exit, recorded])
  }

  async #accepted(index: number): Promise<Line> {
    for (;;) {
      const line = this.#waiting.get(index)?.shift()
      if (line !== undefined) return line
      await new Promise<void>(resolve => this.#wakers.set(index, resolve))
    }
  }

  async #dial(program: Program): Promise<Line> {
    const socket = connect(this.#box(program.home).socket)
    await once(socket, 'connect')
    this.#t.after(() => socket.destroy())
    return new Line(socket)
  }

  async #close({ from }: CloseEvent, key: string, line: Line, isOurs: boolean): Promise<void> {
    if (this.#hasLeft.has(key)) return
    this.#hasLeft.add(key)
    if (isOurs) await line.lanes.ended()
    assert.deepEqual(line.unexpected(), [], `more than was recorded, before the ${from} closed`)
    line.socket.end()
  }

  /** The bytes that the original sent, with the ids of this replay. */
  #outgoing({ command, payload }: MessageEvent, key: string): Buffer {
    const bytes = this.#names.translate(unpack(payload))
    const lane = laneOf({ command, payload: bytes })
    if (lane !== -1) bytes.writeUInt32BE(this.#names.connection(key, lane))
    return bytes
  }

  async #expect({ command, payload }: MessageEvent, key: string, line: Line): Promise<void> {
    const recorded = unpack(payload)
    const lane = laneOf({ command, payload: recorded })
    const content = isData(command) ? recorded.subarray(4) : recorded
    const actual = await line.lanes.take(this.#names.connection(key, lane), command, content.length)
    if (lane !== -1 && !isData(command)) return
    if (command === Command.DialOk) {
      this.#names.learnConnection(key, recorded.readUInt32BE(), actual.readUInt32BE())
    } else if (command === Command.Accept) {
      this.#names.learnConnection(key, recorded.readUInt32BE(2), actual.readUInt32BE(2))
      // The port and the address, not the port that the dialling node has chosen.
      assert.deepEqual(
        [actual.subarray(0, 2), actual.subarray(6, 12)],
        [recorded.subarray(0, 2), recorded.subarray(6, 12)],
      )
    } else if (isData(command)) {
      this.#names.learn(content, actual)
      assert.equal(plainStream(actual), plainStream(this.#names.translate(content)))
    } else {
      assert.deepEqual(plainControl(actual), plainControl(recorded))
    }
  }

  #box(name: string): ReplayBox {
    return this.#boxes.get(name) as ReplayBox
  }
}

function speaksToTheOthers({ whose, home }: Program, homes: Transcript['homes']): boolean {
  return homes[home]?.daemon !== whose
}

function isEmbedded({ whose, args }: Program): boolean {
  return whose === 'ours' && args.includes('--embedded')
}

/** JSON without what may differ; all else as it is. */
function plainControl(bytes: Buffer): unknown {
  const text = bytes.toString('latin1')
  return text.startsWith('{') ? plainJson(JSON.parse(bytes.toString())) : text
}

/** By what stays the same, since two may have been stored in one moment. */
function sorted(received: Home['received']): Home['received'] {
  return [...received].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function folderOr<T>(empty: T, read: () => T): T {
  try {
    return read()
  } catch {
    return empty
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not so within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

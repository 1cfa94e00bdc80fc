import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { pack } from './runs.js'
import { homeOf, type RecordedHome, withoutFolder } from './stored.js'
import { Tap } from './tap.js'
import {
  type Event,
  formatEvent,
  type Home,
  type Program,
  type Transcript,
  type Versions,
  writeTranscript,
} from './transcript.js'

/** The folder that transcripts are written to; undefined where nothing is recorded. */
export const RECORD_TO: string | undefined = process.env.INTEROP_RECORD

/**
 * Has this test recorded as `name`, where transcripts are recorded at all. To be called before its nodes are made.
 * Sent data should be `numbered`, since all of it is committed.
 */
export function recorded(t: TestContext, name: string): void {
  if (RECORD_TO === undefined) return
  const recorder = new Recorder(name, t.name)
  recorders.set(t, recorder)
  // Before the nodes end: what is registered first is done first.
  t.after(() => recorder.finish(RECORD_TO))
}

/** The one of this test, if there is one. */
export function recorderOf(t: TestContext): Recorder | undefined {
  return recorders.get(t)
}

const recorders = new WeakMap<TestContext, Recorder>()

/** Writes down what one test does. */
export class Recorder {
  readonly #name: string
  readonly #test: string
  readonly #homes: RecordedHome[] = []
  readonly #programs: Program[] = []
  readonly #events: string[] = []
  readonly #taps: Tap[] = []
  #isOver = false

  constructor(name: string, test: string) {
    this.#name = name
    this.#test = test
  }

  /** Another home, which gets the next letter for its name. */
  home(home: RecordedHome): string {
    return String.fromCharCode('a'.charCodeAt(0) + this.#homes.push(home) - 1)
  }

  /** A file that a test puts into a home's folder. */
  file(home: string, path: string, content: Uint8Array): void {
    this.#add({ kind: 'file', home, path, content: pack(content) })
  }

  /** A program that starts; the number that the rest calls it by. */
  start(program: Program, dir: string): number {
    const index = this.#programs.push({ ...program, args: withoutFolder(program.args, dir) }) - 1
    this.#add({ kind: 'start', program: index })
    return index
  }

  /** Its end. */
  exit(program: number, exit: number | null, result: unknown, dir: string): void {
    if (this.#isOver) return
    this.#programs[program] = {
      ...(this.#programs[program] as Program),
      exit,
      result: withoutFolder(result, dir),
    }
    this.#add({ kind: 'exit', program })
  }

  /** A socket for `program` in place of its daemon's. */
  tap(program: number, path: string, daemon: string): void {
    const tap = new Tap(path, daemon, {
      opened: connection => this.#add({ kind: 'open', program, connection }),
      closed: (connection, from) => this.#add({ kind: 'close', program, connection, from }),
      message: (connection, from, { command, payload }) =>
        this.#add({ kind: 'message', program, connection, from, command, payload: pack(payload) }),
    })
    this.#taps.push(tap)
  }

  /** Writes the transcript into `folder`. */
  finish(folder: string): void {
    this.#isOver = true
    const homes: Record<string, Home> = {}
    for (const [index, home] of this.#homes.entries()) homes[String.fromCharCode(97 + index)] = homeOf(home)
    const transcript: Transcript = {
      name: this.#name,
      test: this.#test,
      versions: versions(),
      homes,
      programs: this.#programs,
      events: this.#events,
    }
    writeTranscript(folder, transcript)
    for (const tap of this.#taps) tap.close()
  }

  #add(event: Event): void {
    if (!this.#isOver) this.#events.push(formatEvent(event))
  }
}

/** The version of the original's programs. */
export function versions(): Versions {
  const folder = process.env.PILOT_ORIGINAL ?? ''
  const entries = (
    [
      ['pilotctl', 'version'],
      ['pilot-daemon', '-version'],
    ] as const
  ).map(([name, flag]) => {
    const path = join(folder, name)
    const { stdout } = spawnSync(path, [flag], { encoding: 'utf8' })
    return [
      name,
      { version: stdout.trim(), sha256: createHash('sha256').update(readFileSync(path)).digest('hex') },
    ]
  })
  return Object.fromEntries(entries)
}

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the committed transcripts, with a subfolder for each version of the original. */
export const RECORDINGS = join('test', 'interop', 'recordings')

/** Whose program it is: the original's or this project's. */
export type Whose = 'theirs' | 'ours'

/** The traffic between the original's programs and ours in one test, and its results. */
export interface Transcript {
  readonly name: string
  /** The file and the name of the test that was recorded. */
  readonly test: string
  /** The version of the original's programs. */
  readonly versions: Versions
  readonly homes: Record<string, Home>
  readonly programs: readonly Program[]
  /** In the order in which they happened; see {@link parseEvent}. */
  readonly events: readonly string[]
}

export interface Versions {
  readonly [program: string]: { readonly version: string; readonly sha256: string }
}

/** A node's home folder. */
export interface Home {
  readonly address: string
  readonly daemon: Whose
  /** Who stores. Undefined where nobody does. */
  readonly service?: Whose
  /** The messages that it stored; long texts in short. */
  readonly inbox: readonly Record<string, unknown>[]
  /** The files that it stored, with their content in the form of `pack`. */
  readonly received: readonly { readonly name: string; readonly content: string }[]
}

/** A program that was run. */
export interface Program {
  readonly whose: Whose
  readonly home: string
  /** `python3` is the original's SDK; `driver` is our driver, in the process of the test. */
  readonly name: 'pilotctl' | 'pilot-dx' | 'python3' | 'driver'
  /** `$DIR` stands for the folder of its home. */
  readonly args: readonly string[]
  /** Undefined where it ran until the end of the test. */
  readonly exit?: number | null
  /** Its output with `--json`. */
  readonly result?: unknown
}

/** Something that happened. `program` is an index, `connection` counts those of one program to its daemon. */
export type Event =
  | { readonly kind: 'start'; readonly program: number }
  | { readonly kind: 'exit'; readonly program: number }
  | { readonly kind: 'open'; readonly program: number; readonly connection: number }
  | { readonly kind: 'close'; readonly program: number; readonly connection: number; readonly from: Side }
  | {
      readonly kind: 'message'
      readonly program: number
      readonly connection: number
      readonly from: Side
      readonly command: number
      readonly payload: string
    }
  | { readonly kind: 'file'; readonly home: string; readonly path: string; readonly content: string }

/** The end of a daemon's socket that a message comes from. */
export type Side = 'client' | 'daemon'

const SIGNS: Record<Side, string> = { client: '>', daemon: '<' }

/** `start 0`, `exit 0`, `file a photo.raw <bytes>`, `0.1 open`, `0.1 > close`, `0.1 > 06 <bytes>`. */
export function formatEvent(event: Event): string {
  if (event.kind === 'file') return `file ${event.home} ${encodeURI(event.path)} ${event.content}`
  if (event.kind === 'start' || event.kind === 'exit') return `${event.kind} ${event.program}`
  const where = `${event.program}.${event.connection}`
  if (event.kind === 'open') return `${where} open`
  if (event.kind === 'close') return `${where} ${SIGNS[event.from]} close`
  return `${where} ${SIGNS[event.from]} ${event.command.toString(16).padStart(2, '0')} ${event.payload}`.trimEnd()
}

/** The output of {@link formatEvent}. */
export function parseEvent(line: string): Event {
  const [first = '', second = '', third = '', ...rest] = line.split(' ')
  const fourth = rest.join(' ')
  if (first === 'file') return { kind: 'file', home: second, path: decodeURI(third), content: fourth }
  if (first === 'start' || first === 'exit') return { kind: first, program: Number(second) }
  const [program = Number.NaN, connection = Number.NaN] = first.split('.').map(Number)
  if (second === 'open') return { kind: 'open', program, connection }
  const from = second === SIGNS.client ? 'client' : 'daemon'
  if (third === 'close') return { kind: 'close', program, connection, from }
  return { kind: 'message', program, connection, from, command: Number.parseInt(third, 16), payload: fourth }
}

/** The socket of a program's daemon, in the folder of its home. It is the same in a replay, since the program may print it. */
export function daemonSocket(dir: string, program: number): string {
  return join(dir, `daemon-${program}.sock`)
}

/** The versions of which there are recordings. */
export const VERSIONS: readonly string[] = readdirSync(RECORDINGS)

/** The newest of them: of it there are all recordings. */
export const NEWEST = '1.18.0'

/** All that are committed of one version, by name. */
export function readTranscripts(version: string): Transcript[] {
  const folder = join(RECORDINGS, version)
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .sort()
    .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Transcript)
}

export function writeTranscript(folder: string, transcript: Transcript): void {
  writeFileSync(join(folder, `${transcript.name}.json`), `${JSON.stringify(transcript, null, 1)}\n`)
}

import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** The options of the command line. */
export interface Options {
  /** Names of parts; all where empty. */
  readonly parts: readonly string[]
  /** Sizes of payloads in bytes; all where empty. */
  readonly sizes: readonly number[]
  /** Seconds of one sample. */
  readonly seconds: number
  readonly rounds: number
  readonly dir: string
  readonly against: string | undefined
  readonly original: string | undefined
  readonly json: string | undefined
  readonly quick: boolean
  readonly help: boolean
}

export const USAGE = `npm run bench -- [options]

  --part <name>       only this part: startup, codec, floor, service, latency, loop, growth, idle, cap,
                      files, original; may be given more than once
  --size <bytes>      only payloads of this size (100, 1KiB, 64KiB, 50MiB, 1GiB, ...); may be given more than once
  --duration <s>      seconds of one sample (1; 0.2 with --quick)
  --rounds <n>        samples of each contender, turn by turn (7; 3 with --quick)
  --dir <folder>      where the data goes: what its file system does is measured with it (the system's folder
                      for temporary files)
  --against <socket>  a service that speaks frames on this Unix socket, to compare with; it keeps what it is sent
  --original <folder> for the part of that name: the original's programs, with pilot-daemon among them
  --json <file>       also write the report there
  --quick             a first impression in a few minutes: short samples, no files over 64 MiB in all
`

/** @throws TypeError for options that are none, RangeError for values that cannot be used */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      part: { type: 'string', multiple: true, default: [] },
      size: { type: 'string', multiple: true, default: [] },
      duration: { type: 'string' },
      rounds: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      against: { type: 'string' },
      original: { type: 'string' },
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { quick } = values
  return {
    parts: values.part,
    sizes: values.size.map(readSize),
    seconds: readNumber('--duration', values.duration ?? (quick ? '0.2' : '1'), MOST_SECONDS),
    rounds: Math.ceil(readNumber('--rounds', values.rounds ?? (quick ? '3' : '7'), MOST_ROUNDS)),
    dir: resolve(values.dir),
    against: values.against,
    original: values.original,
    json: values.json,
    quick,
    help: values.help,
  }
}

const MOST_SECONDS = 60
const MOST_ROUNDS = 1000
const UNITS: Readonly<Record<string, number>> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 }

function readSize(text: string): number {
  const [, digits, unit = ''] = /^(\d+) ?([a-z]*)$/i.exec(text) ?? []
  const factor = UNITS[unit.toLowerCase()]
  if (digits === undefined || factor === undefined) throw new RangeError(`--size ${text}: no number of bytes`)
  return Number(digits) * factor
}

function readNumber(option: string, text: string, most: number): number {
  const value = Number(text)
  if (value > 0 && value <= most) return value
  throw new RangeError(`${option} ${text}: not over 0 and up to ${most}`)
}

import { FRAME_HEADER_SIZE, FrameType } from '#lib/wire/frame.js'
import { mapTexts } from './stored.js'

/**
 * The allowed differences between a recording and a replay, with reasons; everything else must be equal, byte for byte. Besides
 * these rules there are the ids of {@link Names}, and three of the replay itself: how a stream's bytes are cut into
 * messages (`Lanes`), the port that a dialling node chooses, and what is written in the moment of the other's leaving.
 */
interface Rule {
  readonly name: string
  readonly why: string
  readonly pattern: RegExp
}

interface StreamRule {
  readonly name: string
  readonly why: string
  /** From where to where bytes may differ. */
  readonly places: (bytes: Buffer) => [number, number][]
}

/** For the bytes of streams, a piece as it was sent. */
const STREAM_RULES: readonly StreamRule[] = [
  {
    name: 'times of a TRACE answer',
    why: 'they are the clock’s',
    places: bytes => {
      const found = bytes.toString('latin1').matchAll(/(?<=_at_ns":)\d{19}/g)
      return [...found].map(({ index }) => [index, index + 19])
    },
  },
  {
    name: 'the time in a TRACE frame',
    why: 'it is the clock’s',
    places: bytes => {
      if (bytes.length < FRAME_HEADER_SIZE + 12 || bytes.readUInt32BE() !== FrameType.Trace) return []
      const at = FRAME_HEADER_SIZE + 4
      return [[at, at + 8]]
    },
  },
]

/** Fields of JSON in answers of the daemon, in what programs tell, and in what is stored. */
const FIELDS: readonly Rule[] = [
  { name: 'durations and rates', why: 'they are measured', pattern: /_ms$|^throughput_mbps$|^uptime_sec/ },
  { name: 'times of storing', why: 'they are the clock’s', pattern: /^received_at$/ },
  { name: 'the number of a process', why: 'it is the system’s', pattern: /^pid$/ },
  { name: 'words for people', why: 'the code and the exit code count', pattern: /^(message|hint)$/ },
]

/** Parts of texts in JSON. */
const TEXTS: readonly Rule[] = [
  {
    name: 'the time in a name',
    why: 'files are named after the time at which they were stored',
    pattern: /(?<=-)\d{8}-\d{6}\.\d{3}(?=-\d{6})/g,
  },
  { name: 'the version of the embedded daemon', why: 'it is this project’s', pattern: /(?<=^embedded\/).+/g },
  { name: 'durations in texts', why: 'they are measured', pattern: /\b\d+(\.\d+)?\s?(ms|µs|s)\b/g },
]

/** The bytes as Latin-1, with stars where a rule says that they may differ. */
export function plainStream(bytes: Buffer): string {
  const plain = Buffer.from(bytes)
  for (const { places } of STREAM_RULES) {
    for (const [start, end] of places(bytes)) plain.fill('*', start, end)
  }
  return plain.toString('latin1')
}

/** The same value for what a rule says may differ. */
export function plainJson(value: unknown): unknown {
  const texts = mapTexts(value, text => TEXTS.reduce((rest, { pattern }) => rest.replace(pattern, '*'), text))
  return withoutFields(texts)
}

/** The fields of `actual` that `recorded` has: later additions are not differences. */
export function sameFields(actual: unknown, recorded: unknown): unknown {
  if (Array.isArray(actual) && Array.isArray(recorded)) {
    return actual.map((item, index) => sameFields(item, recorded[index]))
  }
  if (!isObject(actual) || !isObject(recorded)) return actual
  const known = Object.entries(actual).filter(([key]) => key in recorded)
  return Object.fromEntries(known.map(([key, item]) => [key, sameFields(item, recorded[key])]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function withoutFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutFields)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      FIELDS.some(({ pattern }) => pattern.test(key)) ? '*' : withoutFields(item),
    ]),
  )
}

/**
 * Ids that one side generates anew each time: those of our messages, and the daemon's for connections. The first
 * time that one is due, the replay learns what stands in its place; after that it has to be the same.
 */
export class Names {
  readonly #texts = new Map<string, string>()
  readonly #connections = new Map<string, number>()

  /** Takes ids of messages in `recorded` for those that stand in the same places of `actual`. */
  learn(recorded: Buffer, actual: Buffer): void {
    const [old, now] = [recorded, actual].map(idsIn)
    for (const [at, id] of old ?? []) {
      const other = now?.get(at)
      if (other !== undefined && !this.#texts.has(id)) this.#texts.set(id, other)
    }
  }

  /** The bytes with the ids of this replay. */
  translate(bytes: Buffer): Buffer {
    let text = bytes.toString('latin1')
    for (const [old, now] of this.#texts) text = text.replaceAll(old, now)
    return Buffer.from(text, 'latin1')
  }

  translateJson(value: unknown): unknown {
    return mapTexts(value, text =>
      [...this.#texts].reduce((rest, [old, now]) => rest.replaceAll(old, now), text),
    )
  }

  learnConnection(socket: string, recorded: number, actual: number): void {
    this.#connections.set(`${socket} ${recorded}`, actual)
  }

  connection(socket: string, recorded: number): number {
    return this.#connections.get(`${socket} ${recorded}`) ?? recorded
  }
}

/** The places of ids in the form of `newMessageId`. */
function idsIn(bytes: Buffer): Map<number, string> {
  const found = bytes.toString('latin1').matchAll(/(?<="message_id":")[0-9a-f]{32}(?=")/g)
  return new Map([...found].map(match => [match.index, match[0]]))
}

import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Stream } from '#lib/pilot/transport.js'
import { FrameDecoder } from '#lib/wire/decode.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame } from '#lib/wire/frame-io.js'
import { closeStream, type ServiceHarness } from '../../helpers/service-harness.js'
import { plainJson, plainStream } from './rules.js'
import { type RecordedStream, sentBy, stepsOf } from './streams.js'
import type { Transcript } from './transcript.js'

/** One answer of both services to the same stream. */
export interface Answers {
  /** All that the stream's client had sent, in the whole recording. */
  readonly request: Buffer
  readonly theirs: string
  readonly ours: string
}

/**
 * Sends our service what the original's service of one home was sent, in the same order, and gives the answers of
 * both. `closed` stands for the end of the connection.
 */
export async function feed(
  service: Pick<ServiceHarness, 'dial' | 'receivedDir'>,
  transcript: Transcript,
  home: string,
): Promise<Answers[]> {
  const { address } = transcript.homes[home] as { address: string }
  const open = new Map<RecordedStream, Conversation>()
  const answers: Answers[] = []
  for (const step of stepsOf(transcript)) {
    if (step.kind === 'file') {
      // Files that a test has put into the original's folder of partial files.
      if (step.home !== home || !step.path.includes('/.partial/')) continue
      const parts = join(service.receivedDir, '.partial')
      mkdirSync(parts, { recursive: true, mode: 0o700 })
      writeFileSync(join(parts, basename(step.path)), step.content)
      continue
    }
    if (step.stream.address !== address || step.stream.port !== 1001) continue
    const conversation = open.get(step.stream) ?? new Conversation(await service.dial(), step.stream)
    open.set(step.stream, conversation)
    if (step.kind === 'close') answers.push(...(await conversation.close()))
    else if (step.piece.from === 'client') conversation.say(step.piece.bytes)
    else answers.push(...(await conversation.hear(step.piece.bytes)))
  }
  for (const conversation of open.values()) answers.push(...(await conversation.close()))
  return answers
}

/** A stream to our service, beside the recorded one to theirs. */
class Conversation {
  readonly #stream: Stream
  readonly #request: Buffer
  readonly #answersNothing: boolean
  readonly #recorded = new FrameDecoder()
  #isClosed = false

  constructor(stream: Stream, recorded: RecordedStream) {
    this.#stream = stream
    this.#request = sentBy('client', recorded)
    this.#answersNothing = sentBy('daemon', recorded).length === 0
    stream.on('error', () => {})
  }

  say(bytes: Buffer): void {
    this.#stream.write(bytes)
  }

  /** Bytes of theirs: for each answer that is complete with them, ours is read. */
  async hear(bytes: Buffer): Promise<Answers[]> {
    const answers: Answers[] = []
    for (const frame of this.#recorded.push(bytes)) {
      answers.push(this.#both(short(frame), short(await readFrame(this.#stream))))
    }
    return answers
  }

  /** Our answers on a stream without an answer of theirs. */
  async close(): Promise<Answers[]> {
    if (this.#isClosed) return []
    this.#isClosed = true
    const answers = this.#answersNothing ? [this.#both('closed', short(await readFrame(this.#stream)))] : []
    await closeStream(this.#stream)
    return answers
  }

  #both(theirs: string, ours: string): Answers {
    return { request: this.#request, theirs, ours }
  }
}

/** The type and what may not differ of the rest; of JSON, its fields in the order of their names. */
function short(frame: Frame | null): string {
  if (frame === null) return 'closed'
  const text = plainStream(Buffer.from(frame.payload))
  if (frame.type !== FrameType.JSON) return `${frame.type} ${text}`
  const fields = Object.entries(JSON.parse(text.replace(/\*+/g, '0')))
  return `${frame.type} ${JSON.stringify(plainJson(fields.sort(([a], [b]) => (a < b ? -1 : 1))))}`
}

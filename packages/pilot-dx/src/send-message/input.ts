import { isUtf8 } from 'node:buffer'
import { WireError } from 'pilot-dataexchange'
import { CliError } from '../shared/errors.ts'

/** Types of a message. */
export type MessageType = 'text' | 'json' | 'binary'

/** Sources of the payload. Exactly one is set. */
export interface MessageSources {
  /** The text after the target. */
  text?: string
  data?: string
  dataFile?: string
}

/**
 * Reads the payload, at most `cap` bytes. The text `-` is stdin.
 *
 * @throws {CliError} if there is no source or more than one, and if the payload is empty or not of its type
 * @throws {WireError} FRAME_TOO_LARGE
 * @throws {DeliveryError} SOURCE_UNREADABLE
 */
export async function readMessage(
  sources: MessageSources,
  type: MessageType,
  cap: number,
): Promise<Uint8Array> {
  const payload = await readSource(sources, cap)
  if (payload.length > cap) throw tooLarge(cap)
  if (payload.length === 0) {
    throw new CliError('the message is empty', { hint: 'give it as text, with --data or with --data-file' })
  }
  if (type !== 'binary' && !isUtf8(payload)) {
    throw new CliError(`the message is not UTF-8, which ${type} must be`, {
      hint: 'send it with --type binary',
    })
  }
  if (type === 'json') checkJson(payload)
  return payload
}

async function readSource({ text, data, dataFile }: MessageSources, cap: number): Promise<Uint8Array> {
  const given = [text, data, dataFile].filter(source => source !== undefined)
  if (given.length !== 1) {
    const problem = given.length === 0 ? 'there is no message' : 'the message is given more than once'
    throw new CliError(problem, { hint: 'give it once: as text, with --data, or with --data-file' })
  }
  if (dataFile !== undefined) return readFile(dataFile, cap)
  const inline = text ?? data ?? ''
  return inline === '-' ? collect(process.stdin, cap) : Buffer.from(inline)
}

async function readFile(path: string, cap: number): Promise<Uint8Array> {
  const { openSource } = await import('pilot-dataexchange')
  const source = await openSource(path, cap)
  try {
    if (source.size > cap) throw tooLarge(cap)
    return await collect(source.pieces(), cap)
  } finally {
    await source.close()
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>, cap: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const piece of pieces) {
    length += piece.length
    if (length > cap) throw tooLarge(cap)
    parts.push(piece)
  }
  return Buffer.concat(parts)
}

function tooLarge(cap: number): WireError {
  return new WireError(
    'FRAME_TOO_LARGE',
    `the message has more than ${cap} bytes, the most that one frame holds`,
  )
}

function checkJson(payload: Uint8Array): void {
  try {
    JSON.parse(Buffer.from(payload).toString('utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CliError(`the message is not JSON: ${reason}`, { hint: 'mend it, or send it with --type text' })
  }
}

import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'
import { Fifo } from '#lib/async/queue.js'
import { DATA_EXCHANGE_PORT, type Stream, type Streams } from '#lib/pilot/transport.js'
import { ackText } from '#lib/wire/ack.js'
import { encodeFrame, type FrameHead } from '#lib/wire/encode.js'
import { FrameParser, type FrameSink } from '#lib/wire/frame-parser.js'
import { LARGEST_FRAME, type ServiceOptions } from './service-options.ts'

/** A service without anything around it. */
export type FloorKind = 'null' | 'plain' | 'synced'

/**
 * Serves what the service does as plainly as can be, with synchronous calls and no regard for peers that
 * misbehave: `null` only answers; `plain` writes a file and renames it for each message, then answers; `synced`
 * also syncs each file, and the folder once for what came in one read.
 */
export async function serveFloor(
  streams: Streams,
  { dir, kind, cap }: Pick<ServiceOptions, 'dir' | 'cap'> & { kind: FloorKind },
): Promise<void> {
  const store = kind === 'null' ? undefined : new PlainStore(dir, { synced: kind === 'synced', cap })
  const listener = await streams.listen(DATA_EXCHANGE_PORT)
  void (async () => {
    for await (const stream of listener) answerAll(stream, store)
  })()
}

function answerAll(stream: Stream, store: PlainStore | undefined): void {
  const answers: Uint8Array[] = []
  let head: FrameHead = { type: 0, length: 0 }
  let pieces: PlainFile | undefined
  const sink: FrameSink = {
    start(started) {
      head = started
      pieces = store?.begin(head.type === 4 ? 'received' : 'inbox')
    },
    data: piece => pieces?.add(piece),
    end() {
      pieces?.end()
      answers.push(...encodeFrame({ type: 1, payload: Buffer.from(ackText(head.type, head.length)) }))
    },
  }
  const parser = new FrameParser(sink, { maxFrameSize: LARGEST_FRAME })
  stream.on('error', () => {})
  stream.on('data', (chunk: Buffer) => {
    parser.push(chunk)
    if (answers.length === 0) return
    store?.commit()
    stream.write(Buffer.concat(answers))
    answers.length = 0
  })
}

class PlainStore {
  readonly #dir: string
  readonly #options: { synced: boolean; cap: number }
  readonly #names: Fifo<string>
  /** Folders with names that are not durable yet. */
  readonly #changed = new Set<string>()
  #count = 0

  constructor(dir: string, options: { synced: boolean; cap: number }) {
    this.#dir = dir
    this.#options = options
    for (const name of ['inbox', 'received', 'tmp']) mkdirSync(join(dir, name), { recursive: true })
    this.#names = new Fifo(readdirSync(join(dir, 'inbox')).sort())
  }

  begin(folder: 'inbox' | 'received'): PlainFile {
    const name = `TEXT-20260101-000000.000-${String(++this.#count).padStart(9, '0')}.json`
    if (folder === 'inbox') this.#keep(name)
    this.#changed.add(join(this.#dir, folder))
    const paths = [join(this.#dir, 'tmp', name), join(this.#dir, folder, name)] as const
    return new PlainFile(paths, {
      ends: folder === 'inbox' ? JSON_ENDS : undefined,
      synced: this.#options.synced,
    })
  }

  /** Makes the names durable that were given. */
  commit(): void {
    if (!this.#options.synced) return
    for (const path of this.#changed) {
      const folder = openSync(path, 'r')
      fsyncSync(folder)
      closeSync(folder)
    }
    this.#changed.clear()
  }

  #keep(name: string): void {
    this.#names.push(name)
    while (this.#names.length > this.#options.cap)
      unlinkSync(join(this.#dir, 'inbox', this.#names.shift() ?? ''))
  }
}

class PlainFile {
  readonly #paths: readonly [string, string]
  readonly #options: { ends: readonly [Buffer, Buffer] | undefined; synced: boolean }
  readonly #fd: number
  #held: Uint8Array[]
  #heldBytes = 0

  constructor(
    paths: readonly [string, string],
    options: { ends: typeof JSON_ENDS | undefined; synced: boolean },
  ) {
    this.#paths = paths
    this.#options = options
    this.#fd = openSync(paths[0], 'wx', 0o600)
    this.#held = options.ends ? [options.ends[0]] : []
  }

  add(piece: Uint8Array): void {
    this.#held.push(piece)
    this.#heldBytes += piece.length
    if (this.#heldBytes >= MOST_HELD) this.#write()
  }

  end(): void {
    if (this.#options.ends) this.#held.push(this.#options.ends[1])
    this.#write()
    if (this.#options.synced) fdatasyncSync(this.#fd)
    closeSync(this.#fd)
    renameSync(...(this.#paths as [string, string]))
  }

  #write(): void {
    if (this.#held.length > 0) writevSync(this.#fd, this.#held)
    this.#held = []
    this.#heldBytes = 0
  }
}

const MOST_HELD = 1024 * 1024
/** As long as what the service writes around a short text. */
const JSON_ENDS = [
  Buffer.from('{"type":"TEXT","from":"0:0000.0000.000B","data":"'),
  Buffer.from('","bytes":100,"received_at":"2026-01-01T00:00:00.000000000+00:00","data_encoding":"utf8"}'),
] as const

import { Command, type IpcMessage } from '#lib/pilot/ipc-messages.js'

interface Item {
  readonly command: number
  /** Without the connection id, where it is data; pieces that follow each other are one. */
  bytes: Buffer
}

/**
 * The unread bytes of one socket. The order counts within a stream, and among all that is no
 * stream's; how a stream's bytes are cut into messages does not.
 */
export class Lanes {
  readonly #lanes = new Map<number, Item[]>()
  #wake: () => void = () => {}
  #hasEnded = false

  push({ command, payload }: IpcMessage): void {
    const lane = this.#lane(laneOf({ command, payload }))
    const last = lane.at(-1)
    const bytes = Buffer.from(isData(command) ? payload.subarray(4) : payload)
    if (last !== undefined && isData(command) && last.command === command) {
      last.bytes = Buffer.concat([last.bytes, bytes])
    } else {
      lane.push({ command, bytes })
    }
    this.#wake()
  }

  /** Nothing more will come. */
  end(): void {
    this.#hasEnded = true
    this.#wake()
  }

  /** The next message of `lane`; of data, the next `length` bytes. Throws where something else comes, or nothing. */
  async take(lane: number, command: number, length: number): Promise<Buffer> {
    const items = this.#lane(lane)
    for (;;) {
      const [first] = items
      if (first !== undefined && first.command !== command) throw new Error(`instead came ${describe(first)}`)
      if (first !== undefined && !isData(command)) {
        items.shift()
        return first.bytes
      }
      if (first !== undefined && first.bytes.length >= length) {
        const bytes = first.bytes.subarray(0, length)
        first.bytes = first.bytes.subarray(length)
        if (first.bytes.length === 0) items.shift()
        return bytes
      }
      if (this.#hasEnded)
        throw new Error(`instead the socket ended, after ${this.left().join(', ') || 'nothing'}`)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async ended(): Promise<void> {
    while (!this.#hasEnded) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** The rest that was not consumed. */
  left(): string[] {
    return [...this.#lanes.values()].flat().map(describe)
  }

  #lane(id: number): Item[] {
    const lane = this.#lanes.get(id) ?? []
    this.#lanes.set(id, lane)
    return lane
  }
}

/** The connection that a message belongs to; -1 for all others. */
export function laneOf({ command, payload }: IpcMessage): number {
  const isStreams = isData(command) || command === Command.Close || command === Command.CloseOk
  return isStreams ? Buffer.from(payload).readUInt32BE() : -1
}

export function isData(command: number): boolean {
  return command === Command.Send || command === Command.Recv
}

function describe({ command, bytes }: Item): string {
  return `0x${command.toString(16).padStart(2, '0')} with ${bytes.length} bytes, ${bytes.toString('latin1', 0, 80)}`
}

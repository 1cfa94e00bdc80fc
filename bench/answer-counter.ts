const HEADER = 8
const ACK = Buffer.from('ACK ')

/** Counts the answers in a stream of bytes, cheaply, and throws at one that is no ACK. */
export class AnswerCounter {
  /** The start of an answer whose end has not come. */
  #rest: Buffer = Buffer.alloc(0)

  /** Takes the next bytes; how many answers they complete. */
  push(chunk: Buffer): number {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let count = 0
    let at = 0
    while (bytes.length - at >= HEADER) {
      const end = at + HEADER + bytes.readUInt32BE(at + 4)
      if (end > bytes.length) break
      if (ACK.compare(bytes, at + HEADER, at + HEADER + ACK.length) !== 0) {
        throw new Error(`the service answered: ${bytes.toString('utf8', at + HEADER, end)}`)
      }
      at = end
      count++
    }
    this.#rest = bytes.subarray(at)
    return count
  }
}

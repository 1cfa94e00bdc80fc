// Stores messages and files, eight workers with COUNT each, until it is killed: `store-child.js INBOX RECEIVED COUNT`.
// Sends every path to its parent once the store has resolved.
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { inPieces } from './temp-mailbox.js'

const [inboxDir, receivedDir, count] = process.argv.slice(2)
const mailbox = await Mailbox.open({ inboxDir, receivedDir })

async function storeSome(worker: number): Promise<void> {
  for (let i = 0; i < Number(count); i++) {
    const payload = Buffer.alloc(((i * 37 + worker) % 50) * 8192, `${process.pid} `)
    const body = i % 2 === 0 ? payload : inPieces(payload, 65_536)
    const { path } =
      i % 5 === 4
        ? await mailbox.storeFile({ filename: 'file.bin', length: payload.length }, body)
        : await mailbox.storeMessage({ type: 'TEXT', from: `${process.pid}`, length: payload.length }, body)
    process.send?.({ path, bytes: payload.length })
  }
}

await Promise.all(Array.from({ length: 8 }, (_, worker) => storeSome(worker)))
await mailbox.close()
process.disconnect()

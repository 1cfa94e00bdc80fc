// Programs of users, for check-package.js.

/** Runs on Node, Bun and Deno: imports every entry, and encodes and decodes a frame. */
export const LIBRARY_PROGRAM = `import { Client, Driver, Runtime, Service } from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'
import { InboxConsumer, Mailbox } from 'pilot-dataexchange/mailbox'
import { Outbox } from 'pilot-dataexchange/outbox'
import { EventBus } from 'pilot-dataexchange/plugin'
import { encodeFrame, FrameDecoder } from 'pilot-dataexchange/wire'

const classes = [Client, Driver, EmbeddedDaemon, EventBus, InboxConsumer, Mailbox, Outbox, Runtime, Service]
if (!classes.every(Boolean)) throw new Error('an export is missing')
const [frame] = new FrameDecoder().push(Buffer.concat(encodeFrame({ type: 1, payload: Buffer.from('hi') })))
console.log(new Service().name, String(frame?.payload))
`

/** Prints what require() does on this Node, then imports. */
export const COMMONJS_PROGRAM = `'use strict'
try {
  console.log(typeof require('pilot-dataexchange').Client === 'function' ? 'required' : 'required nothing')
} catch (error) {
  console.log(Object(error).code)
}
import('pilot-dataexchange').then(({ Client }) => console.log(Client ? 'imported' : 'imported nothing'))
`

/** For the type-checker: options that may be undefined, under exactOptionalPropertyTypes, and types that can be named. */
export const TYPED_PROGRAM = `import process from 'node:process'
import { Driver, deliver, mayBeStored, Runtime, Service, transferFile } from 'pilot-dataexchange'
import type { DeliverOnceOptions, Message, Receipt, ServiceConfig, TransferOptions } from 'pilot-dataexchange'
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from 'pilot-dataexchange/embedded'
import { InboxConsumer, Mailbox, type MessageInput, type Payload, type StoredMessage } from 'pilot-dataexchange/mailbox'
import { Outbox, type AddOptions, type RunOptions } from 'pilot-dataexchange/outbox'
import type { PublishedEvent } from 'pilot-dataexchange/plugin'

const text = process.env['TEXT']
const size = text === undefined ? undefined : text.length
const signal = text === undefined ? undefined : AbortSignal.timeout(1000)

const config: ServiceConfig = { inboxDir: text, inboxMaxFiles: size, maxFrameSize: size, rates: { framesPerSecond: size } }
const embedded: EmbeddedDaemonOptions = { socketPath: '/tmp/a.sock', hostname: text, identityFile: text }
const options: DeliverOnceOptions = { answerTimeoutMs: size, signal, messageId: text, replyTo: text, maxFrameSize: size }
const transfer: TransferOptions = { name: text, signal, maxFrameSize: size }
const add: AddOptions = { messageId: text, replyTo: text, expiresInMs: size }
const message: Message = { file: 'a.txt', name: text, size }

export async function main(): Promise<Receipt | undefined> {
  await using daemon = await EmbeddedDaemon.start(embedded)
  await using driver = await Driver.connect(daemon.socketPath, { signal, timeoutMs: size })
  await using runtime = new Runtime({ driver, logger: undefined, trust: undefined })
  runtime.register(new Service(config))
  runtime.events.subscribe('message.received', ({ payload }) => console.log(payload.from.length, payload.size.toFixed()))
  runtime.events.subscribe('*', (event: PublishedEvent) => console.log(event.topic))
  await runtime.start(signal)
  await transferFile(driver, daemon.address, 'a.txt', transfer).result
  const outbox = await Outbox.open({ dir: text, maxEntries: size })
  await outbox.add(daemon.address, message, add)
  const run: RunOptions = { driver: () => Driver.connect(), signal, untilEmpty: true }
  await outbox.run(run)
  const consumer = await InboxConsumer.open({ dir: text, group: text, leaseMs: size })
  for await (const { data } of consumer.messages({ signal })) console.log(data)
  try {
    return await deliver(driver, daemon.address, { text: 'hi' }, options)
  } catch (error) {
    if (!mayBeStored(error)) console.log('not stored')
    return undefined
  }
}

export async function store(mailbox: Mailbox, input: MessageInput, payload: Payload): Promise<StoredMessage> {
  return mailbox.storeMessage(input, payload)
}
`

/** Needs nothing of Node, not its types either. */
export const BROWSER_PROGRAM = `import { encodeFrame, FrameType } from 'pilot-dataexchange/wire'

const pieces = encodeFrame({ type: FrameType.Text, payload: new TextEncoder().encode('hi') })
console.log(pieces.length)
`

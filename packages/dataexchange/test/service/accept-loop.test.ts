import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { silentLogger } from '#lib/logger.js'
import type { Listener, Stream, Streams } from '#lib/pilot/transport.js'
import { acceptForever } from '#lib/service/accept-loop.js'

/** A listener without streams that ends when it is closed. */
class OpenListener implements Listener {
  readonly port = 1001
  readonly #streams = new PassThrough({ objectMode: true })

  async close(): Promise<void> {
    this.#streams.end()
  }

  [Symbol.asyncIterator](): AsyncIterator<Stream> {
    return this.#streams.iterator()
  }
}

/** A listener that is being left as it hands out a stream. */
class LastListener implements Listener {
  readonly port = 1001
  readonly #stop: () => void
  readonly #stream: Stream

  constructor(stream: Stream, stop: () => void) {
    this.#stream = stream
    this.#stop = stop
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Stream> {
    this.#stop()
    yield this.#stream
  }

  async close(): Promise<void> {}
}

test('a stop during a new bind ends the loop', { timeout: 5_000 }, async () => {
  const stopping = new AbortController()
  const streams: Pick<Streams, 'listen'> = {
    listen: async () => {
      stopping.abort()
      return new OpenListener()
    },
  }
  const gone = new OpenListener()
  await gone.close()
  await acceptForever(gone, {
    streams: streams as Streams,
    port: 1001,
    logger: silentLogger,
    signal: stopping.signal,
    onStream: () => {},
  })
})

test('a stream that arrives while the loop stops is closed, not served', async () => {
  const stopping = new AbortController()
  const stream = new PassThrough()
  const served: Stream[] = []
  await acceptForever(new LastListener(stream as unknown as Stream, () => stopping.abort()), {
    streams: {} as Streams,
    port: 1001,
    logger: silentLogger,
    signal: stopping.signal,
    onStream: accepted => served.push(accepted),
  })
  assert.deepEqual(served, [])
  assert.ok(stream.destroyed)
})

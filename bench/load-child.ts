// The load generator: run by `Child`. It holds connections open between requests, so that they are warm.
import type { Duplex } from 'node:stream'
import { keepYoungGenerationSmall } from '#cli/shared/young-generation.js'
import { serveParent } from './child.ts'
import { deliverFile, sendFile } from './file-load.ts'
import { type LoadRequest, runLoad } from './load.ts'
import { peakMemory } from './memory.ts'
import { dialAll, type Target } from './target.ts'

/** The requests that it takes. */
export type LoadChildRequest =
  /** Frames on `connections` connections; the reply is a `LoadResult`. */
  | ({ do: 'load'; target: Target; connections: number } & LoadRequest)
  /** `count` FILE frames of `size` bytes at once, on a connection each; the reply is a `FilesResult`. */
  | { do: 'files'; target: Target; count: number; size: number }
  /** The file at `path`, through the library's client; the reply is a `FilesResult`. */
  | { do: 'deliver'; target: Target; path: string; size: number }
  /** Opens so many connections and leaves them alone. */
  | { do: 'idle'; target: Target; connections: number }

/** How fast files went, and the most memory of this process. */
export interface FilesResult {
  /** Megabytes (10^6) a second. */
  readonly rate: number
  readonly peakMiB: number
}

const ONE_FRAME: LoadRequest = { size: 100, window: 1, ms: 0, most: 1 }
const open = new Map<string, Duplex[]>()

serveParent<LoadChildRequest>(undefined, async request => {
  const { target } = request
  if (request.do === 'load') return runLoad(await connectionsTo(target, request.connections), request)
  if (request.do === 'idle') {
    await connectionsTo(target, request.connections)
    // They are accepted in turn: where a later one is answered, all of them are served.
    await runLoad(await dialAll(target, 1), ONE_FRAME)
    return undefined
  }
  if (request.do === 'deliver') {
    // As the command that sends files does it.
    keepYoungGenerationSmall()
    return timed(request.size, () => deliverFile(target.socket, request.path))
  }
  const connections = await dialAll(target, request.count)
  const result = await timed(request.size * request.count, () =>
    Promise.all(connections.map(connection => sendFile(connection, request.size))),
  )
  for (const connection of connections) connection.destroy()
  return result
})

async function connectionsTo(target: Target, count: number): Promise<Duplex[]> {
  const key = `${count} ${target.socket}`
  const connections = open.get(key) ?? (await dialAll(target, count))
  open.set(key, connections)
  return connections
}

async function timed(bytes: number, work: () => Promise<unknown>): Promise<FilesResult> {
  const startedAt = performance.now()
  await work()
  return { rate: bytes / 1000 / (performance.now() - startedAt), peakMiB: peakMemory() }
}

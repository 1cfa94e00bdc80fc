import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** The two ends of a Unix socket, both destroyed when the test is over. */
export async function socketPair(t: TestContext): Promise<[Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), 'pilot-dx-pair-'))
  const path = join(folder, 's')
  const server = createServer().listen(path)
  await once(server, 'listening')
  const near = connect(path)
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ]
  server.close()
  t.after(() => {
    near.destroy()
    far.destroy()
    rmSync(folder, { recursive: true, force: true })
  })
  return [near, far]
}

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Puts `count` messages into the inbox of `dir`, older than any that will come. */
export function fillInbox(dir: string, count: number): void {
  const inbox = join(dir, 'inbox')
  mkdirSync(inbox, { recursive: true, mode: 0o700 })
  for (let i = 1; i <= count; i++) {
    const name = `TEXT-20200101-000000.000-${String(i).padStart(6, '0')}.json`
    const file = openSync(join(inbox, name), 'wx', 0o600)
    writeSync(file, MESSAGE)
    closeSync(file)
  }
}

const MESSAGE = `${JSON.stringify({
  type: 'TEXT',
  from: '0:0000.0000.000B',
  data: 'x'.repeat(100),
  bytes: 100,
  received_at: '2020-01-01T00:00:00.000000000+00:00',
  data_encoding: 'utf8',
})}`

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Box, IS_OLD, originalBox, PROGRAMS, twoNodes } from './original.js'
import { recorded } from './recording/recorder.js'
import { numbered } from './recording/runs.js'

// The original's Python SDK, which is the package around its programs, on our embedded daemon and our service.

const PACKAGE = dirname(PROGRAMS)
const skip = skipReason()

/** Runs `script` with `d`, a connection to the daemon; what it says with `tell(...)` is returned. */
async function python(box: Box, script: string): Promise<unknown[]> {
  box.env.PYTHONPATH = dirname(PACKAGE)
  box.env.PILOT_LIB_PATH = join(PROGRAMS, 'libpilot.so')
  const { code, stdout, stderr } = await box.startProgram('python3', ['-c', `${PRELUDE}\n${script}`]).done
  assert.equal(code, 0, stderr)
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

const PRELUDE = `
import json, os
from pilotprotocol import Driver, PilotError
d = Driver(os.environ["PILOT_SOCKET"])
def tell(value): print(json.dumps(value), flush=True)
def failing(call):
    try: call()
    except PilotError as error: tell(str(error))
    else: raise SystemExit("did not fail")
`

async function served(t: TestContext) {
  const box = originalBox(t)
  const { data } = await box.serve('--embedded', '--hostname', 'alice')
  return { box, address: data.address as string }
}

test('info, health, names and trust', { skip }, async t => {
  recorded(t, 'sdk-info')
  const { box, address } = await served(t)
  const [info, health, found, trusted, unknown, renamed] = await python(
    box,
    `
tell(d.info()); tell(d.health()); tell(d.resolve_hostname("alice")); tell(d.trusted_peers())
failing(lambda: d.resolve_hostname("nobody"))
d.set_hostname("zoe"); tell(d.info()["hostname"])`,
  )
  assert.equal((info as { address: string }).address, address)
  assert.equal((health as { status: string }).status, 'ok')
  assert.equal((found as { address: string }).address, address)
  assert.deepEqual(trusted, { trusted: [] })
  assert.match(String(unknown), /no node named nobody/)
  assert.equal(renamed, 'zoe')
})

test('send_message of each type, and send_file, are acknowledged and stored', { skip }, async t => {
  recorded(t, 'sdk-sends')
  const { box, address } = await served(t)
  const bytes = numbered(3_000_000)
  const file = box.write('photo.raw', bytes)
  const answers = await python(
    box,
    `
tell(d.send_message("alice", "hello é".encode()))
tell(d.send_message("${address}", b'{"a":1}', "json"))
tell(d.send_message("alice", bytes(range(256)), "binary"))
tell(d.send_file("alice", "${file}"))`,
  )
  assert.deepEqual(
    answers.map(answer => (answer as { ack: string }).ack),
    ['ACK TEXT 8 bytes', 'ACK JSON 7 bytes', 'ACK BINARY 256 bytes', 'ACK FILE 3000000 bytes'],
  )
  const [text, json, binary] = box.messages()
  assert.deepEqual([text?.type, text?.data, text?.from], ['TEXT', 'hello é', address])
  assert.deepEqual([json?.type, json?.data], ['JSON', '{"a":1}'])
  assert.equal(Buffer.from(String(binary?.data_b64), 'base64').length, 256)
  assert.ok([...box.files().values()][0]?.equals(bytes))
})

test('listen and dial: bytes both ways, and the end', { skip }, async t => {
  recorded(t, 'sdk-streams')
  const { box } = await served(t)
  const told = await python(
    box,
    `
here = d.info()["address"]
listener = d.listen(3000)
near = d.dial(here + ":3000", timeout=5)
far = listener.accept()
near.write(b"ping"); tell(far.read(10).decode())
far.write(b"pong"); tell(near.read(10).decode())
near.close()
failing(lambda: far.read(10))
failing(lambda: d.dial(here + ":3999", timeout=5))
failing(lambda: d.listen(1001))`,
  )
  assert.deepEqual(told.slice(0, 3), ['ping', 'pong', 'EOF'])
  assert.match(String(told[3]), /connection refused/)
  assert.match(String(told[4]), /port 1001 is already bound/)
})

test('from a node of the original to ours', { skip }, async t => {
  const { a: anna, b: bert } = await twoNodes(t, { a: ['-no-dataexchange'] })
  await anna.serve()
  const bytes = randomBytes(500_000)
  const file = join(bert.dir, 'photo.raw')
  writeFileSync(file, bytes)
  const [message, sent] = await python(
    bert,
    `tell(d.send_message("anna", b"hi")); tell(d.send_file("anna", "${file}"))`,
  )
  assert.equal((message as { ack: string }).ack, 'ACK TEXT 2 bytes')
  assert.equal((sent as { ack: string }).ack, 'ACK FILE 500000 bytes')
  assert.equal(anna.messages()[0]?.data, 'hi')
  assert.ok([...anna.files().values()][0]?.equals(bytes))
})

function skipReason(): string | false {
  if (!existsSync(join(PACKAGE, '__init__.py'))) return 'there is no Python package around the programs'
  return IS_OLD && 'this version splits no large writes, or does not load'
}

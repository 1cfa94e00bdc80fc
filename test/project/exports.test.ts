// The public names of the library: each from one entry, and all that close by `await using`.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const LIBRARY = 'packages/dataexchange'

/** The names of the original, which are in `.` also if a subpath exports them. */
const ORIGINAL = [
  ...['Address', 'Client', 'Driver', 'Frame', 'FrameDecoder', 'FrameType', 'MAX_FRAME_SIZE', 'PluginService'],
  ...['Runtime', 'Server', 'Service', 'ServiceConfig', 'ServiceDeps', 'Stream', 'TraceFrame', 'encodeFrame'],
  ...['parseAddress', 'parseSocketAddress', 'readFrame', 'readTracePayload', 'typeName', 'writeFrame'],
  'writeTraceFrame',
]

/** The errors that `./wire` throws: a browser cannot load `.`, and every other program catches them beside the others. */
const ERRORS_OF_WIRE = ['DriverError', 'PilotError', 'WireError']

const { exports } = JSON.parse(readFileSync(join(LIBRARY, 'package.json'), 'utf8'))
const entries = new Map(
  Object.entries<string>(exports)
    .filter(([, path]) => path.endsWith('.js'))
    .map(([entry, path]) => [entry, namesOf(path)]),
)

test('the entries are those that the documentation names', () => {
  assert.deepEqual([...entries.keys()], ['.', './wire', './mailbox', './outbox', './plugin', './embedded'])
})

test('a name is exported from one entry; the original’s names and the errors of ./wire are in . as well', () => {
  const shared = new Set([...ORIGINAL, ...ERRORS_OF_WIRE])
  const places = new Map<string, string[]>()
  for (const [entry, names] of entries) {
    for (const name of names) places.set(name, [...(places.get(name) ?? []), entry])
  }
  for (const [name, of] of places) {
    const isAllowed = of.length === 1 || (of.length === 2 && of[0] === '.' && shared.has(name))
    assert.ok(isAllowed, `${name} is exported from ${of.join(' and ')}`)
  }
  for (const name of shared) assert.ok(entries.get('.')?.has(name), `${name} is missing in .`)
})

test('every exported class that closes or stops does so at the end of an await using block', async () => {
  const closing: string[] = []
  for (const entry of entries.keys()) {
    const names: Record<string, unknown> = await import(join('pilot-dataexchange', entry))
    for (const [name, value] of Object.entries(names)) {
      const prototype = typeof value === 'function' ? value.prototype : undefined
      if (prototype === undefined || !('close' in prototype || 'stop' in prototype)) continue
      closing.push(name)
      assert.equal(typeof prototype[Symbol.asyncDispose], 'function', name)
    }
  }
  const known = [
    'Client',
    'Driver',
    'EmbeddedDaemon',
    'Mailbox',
    'ReplyWatch',
    'Runtime',
    'Server',
    'Service',
  ]
  for (const name of known) assert.ok(closing.includes(name), name)
})

/** The names that an index exports, types included; it lists each of them. */
function namesOf(path: string): Set<string> {
  const code = readFileSync(join(LIBRARY, path.replace(/\.js$/, '.d.ts')), 'utf8')
  assert.doesNotMatch(code, /export \*|export default/, path)
  const lists = [...code.matchAll(/export (?:type )?\{([^}]*)\}/g)].map(([, list]) => list ?? '')
  return new Set(
    lists
      .flatMap(list => list.split(','))
      .map(
        name =>
          name
            .trim()
            .replace(/^type /, '')
            .split(' as ')
            .at(-1) ?? '',
      )
      .filter(name => name !== ''),
  )
}

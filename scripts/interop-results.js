// A reporter for node:test: one JSON document that says which tests of test/interop passed, and of which version the
// original's programs were. `docs/compatibility.md` is made from it.
import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'

/** As node:test wants it: the default export of a module. */
export default async function* results(events) {
  const rows = []
  const date = new Date().toISOString().slice(0, 10)
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // A file is a test of its own in some versions of Node; what is nested belongs to the test around it.
    if (data.nesting > 0 || !data.file || data.name.endsWith('.interop.js')) continue
    const status = data.skip === undefined ? (type === 'test:pass' ? 'passes' : 'fails') : 'skipped'
    const file = basename(data.file).replace('.interop.js', '').replace('.interop.ts', '')
    rows.push({ file, name: data.name, status, date })
  }
  const command = 'PILOT_ORIGINAL=<folder with pilotctl and pilot-daemon> npm run record:interop'
  const versions = {
    pilotctl: versionOf('pilotctl', 'version'),
    'pilot-daemon': versionOf('pilot-daemon', '-version'),
  }
  const machine = `${process.platform} ${process.arch}`
  yield `${JSON.stringify({ command, node: process.version, machine, versions, rows }, null, 1)}\n`
}

function versionOf(program, flag) {
  return spawnSync(join(process.env.PILOT_ORIGINAL, program), [flag], { encoding: 'utf8' }).stdout.trim()
}

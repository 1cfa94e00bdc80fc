// Packs the project as npm would publish it, and looks at what a user gets: publint, attw, and an install
// into an empty project that imports every entry and runs the CLI.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'pilot-dx-pack-'))
try {
  run('npm', ['pack', '--silent', '--workspaces', '--pack-destination', folder])
  const tarballs = readdirSync(folder)
    .filter(name => name.endsWith('.tgz'))
    .map(name => join(folder, name))
  for (const tarball of tarballs) run('npx', ['publint', 'run', '--strict', tarball])
  const library = tarballs.find(path => path.includes('pilot-dataexchange')) ?? ''
  run('npx', ['attw', library, '--profile', 'esm-only'])

  const user = join(folder, 'user')
  run('mkdir', [user])
  writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }')
  run('npm', ['install', '--silent', '--prefer-offline', ...tarballs], user)
  writeFileSync(
    join(user, 'use.js'),
    `import { Client, Driver, Runtime, Service } from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'
import { encodeFrame, FrameDecoder } from 'pilot-dataexchange/wire'
const [frame] = new FrameDecoder().push(Buffer.concat(encodeFrame({ type: 1, payload: Buffer.from('hi') })))
if (String(frame.payload) !== 'hi') throw new Error('the codec does not work')
if (![Client, Driver, Runtime, Service, EmbeddedDaemon].every(Boolean)) throw new Error('an export is missing')
console.log(new Service().name)
`,
  )
  expect('dataexchange', run('node', ['use.js'], user))
  expect('dataexchange-disabled', run('node', ['--conditions=no_dataexchange', 'use.js'], user))
  expect('Usage: pilot-dx', run(join(user, 'node_modules/.bin/pilot-dx'), ['--help'], user))
  console.log('the package installs, imports and runs')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function run(command, args, cwd = resolve('.')) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

function expect(text, output) {
  if (!output.includes(text)) throw new Error(`expected ${JSON.stringify(text)} in: ${output}`)
}

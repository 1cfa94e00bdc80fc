// Packs both packages as npm would publish them, and tries what a user gets: publint and attw, programs in TypeScript,
// JavaScript and CommonJS, a browser bundle, Bun, Deno, the command, and the examples of the README.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { BROWSER_PROGRAM, COMMONJS_PROGRAM, LIBRARY_PROGRAM, TYPED_PROGRAM } from './package-programs.js'
import { checkReadme } from './readme-examples.js'

/** They are installed for the check alone: they are large, and nothing else needs them. */
const TOOLS = ['esbuild@0.28.2', 'bun@1.4.5', 'deno@2.9.6']
const COMPILERS = {
  'TypeScript 5.9': resolve('node_modules/typescript-api/bin/tsc'),
  'TypeScript 7': resolve('node_modules/typescript/bin/tsc'),
}
/** Bytes of `encodeFrame`, bundled and minified for a browser. */
const LARGEST_BUNDLE = 4000

/** That of the user, though programs get another home folder. */
const NPM_CACHE = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim()
/** Deno reads node_modules of the project; nothing is downloaded. */
const DENO = ['run', '--allow-all', '--node-modules-dir=manual', '--no-lock', 'use.js']

const folder = mkdtempSync(join(tmpdir(), 'pilot-dx-pack-'))
try {
  const { library, command } = pack()
  for (const tarball of [library, command]) run('npx', ['publint', 'run', '--strict', tarball])
  // The library is ESM. CommonJS loads it with require() on Node 20.19, 22.12 and newer; tried below.
  run('npx', ['attw', library, '--profile', 'esm-only'])
  const user = installLibrary(library)
  checkFiles(join(user, 'node_modules'))
  await step('a program on Node, with and without the service', () => checkPrograms(user))
  await step('CommonJS', () => checkCommonJs(user))
  run('npm', ['install', '--silent', '--prefer-offline', '--no-save', `@types/node@${typesOfNode()}`], user)
  for (const [name, compiler] of Object.entries(COMPILERS))
    await step(`types, ${name}`, () => checkTypes(user, compiler))
  const tools = join(folder, 'tools')
  project(tools)
  run('npm', ['install', '--silent', '--prefer-offline', ...TOOLS], tools)
  await step('a browser bundle', () => checkBundle(user, join(tools, 'node_modules/.bin/esbuild')))
  await step('Bun', () => expect('hi', run(join(tools, 'node_modules/.bin/bun'), ['use.js'], user)))
  await step('Deno', () => expect('hi', run(join(tools, 'node_modules/.bin/deno'), DENO, user)))
  await step('the command', () => checkCommand(library, command))
  await step('the examples of the README', () => checkReadme(user, Object.values(COMPILERS)))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pack() {
  const listing = run('npm', ['pack', '--json', '--workspaces', '--pack-destination', folder])
  const packed = [JSON.parse(listing)].flat()
  for (const { name, size, unpackedSize, entryCount } of packed) {
    console.log(`${name}: ${kB(size)} packed, ${kB(unpackedSize)} unpacked, ${entryCount} files`)
  }
  const path = name => join(folder, packed.find(found => found.name === name).filename)
  return { library: path('pilot-dataexchange'), command: path('pilot-dx') }
}

function installLibrary(tarball) {
  const user = join(folder, 'user')
  project(user)
  run('npm', ['install', '--silent', '--prefer-offline', tarball], user)
  const installed = readdirSync(join(user, 'node_modules')).filter(name => !name.startsWith('.'))
  if (installed.join() !== 'pilot-dataexchange') throw new Error(`npm installs ${installed.join(', ')}`)
  console.log(`npm i pilot-dataexchange: 1 package, ${kB(sizeOf(join(user, 'node_modules')))}`)
  return user
}

/** README, license, and the sources in each source map. */
function checkFiles(modules) {
  const root = join(modules, 'pilot-dataexchange')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  for (const name of ['README.md', 'LICENSE']) if (!files.includes(name)) throw new Error(`no ${name}`)
  if (readFileSync(join(root, 'LICENSE'), 'utf8') !== readFileSync('LICENSE', 'utf8'))
    throw new Error('the package has another license than the project')
  for (const name of files.filter(name => name.endsWith('.map'))) {
    const { sources, sourcesContent = [] } = JSON.parse(readFileSync(join(root, name), 'utf8'))
    if (sourcesContent.length !== sources.length) throw new Error(`${name} names sources that it lacks`)
  }
}

function checkPrograms(user) {
  writeFileSync(join(user, 'use.js'), LIBRARY_PROGRAM)
  expect('dataexchange hi', run(process.execPath, ['use.js'], user))
  expect('dataexchange-disabled', run(process.execPath, ['--conditions=no_dataexchange', 'use.js'], user))
}

function checkCommonJs(user) {
  writeFileSync(join(user, 'use.cjs'), COMMONJS_PROGRAM)
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const canRequire = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
  expect(
    canRequire ? 'required\nimported' : 'ERR_REQUIRE_ESM\nimported',
    run(process.execPath, ['use.cjs'], user),
  )
}

/** Under what `tsc --init` writes; a program for Node also names the types of Node, as the written file says. */
function checkTypes(user, compiler) {
  const typed = join(user, 'typed')
  rmSync(typed, { recursive: true, force: true })
  project(typed)
  run(process.execPath, [compiler, '--init'], typed)
  writeFileSync(join(typed, 'use.ts'), TYPED_PROGRAM)
  writeFileSync(join(typed, 'use-commonjs.cts'), COMMONJS_PROGRAM.replaceAll("'use strict'\n", ''))
  run(process.execPath, [compiler, '-p', '.', '--noEmit', '--types', 'node'], typed)
  rmSync(join(typed, 'use.ts'))
  rmSync(join(typed, 'use-commonjs.cts'))
  writeFileSync(join(typed, 'browser.ts'), BROWSER_PROGRAM)
  run(process.execPath, [compiler, '-p', '.', '--noEmit'], typed)
}

function checkBundle(user, esbuild) {
  writeFileSync(join(user, 'browser.js'), BROWSER_PROGRAM)
  const flags = ['--bundle', '--minify', '--platform=browser', '--format=esm', '--outfile=bundle.js']
  run(esbuild, ['browser.js', '--log-level=warning', ...flags], user)
  const { size } = statSync(join(user, 'bundle.js'))
  console.log(`encodeFrame in a browser bundle: ${size} bytes`)
  if (size > LARGEST_BUNDLE) throw new Error(`more than ${LARGEST_BUNDLE} bytes`)
}

function checkCommand(library, command) {
  const user = join(folder, 'command')
  project(user)
  run('npm', ['install', '--silent', '--prefer-offline', library, command], user)
  for (const name of ['README.md', 'LICENSE']) statSync(join(user, 'node_modules/pilot-dx', name))
  expect('Usage: pilot-dx', run('npx', ['--no-install', 'pilot-dx', '--help'], user))
}

function typesOfNode() {
  return JSON.parse(readFileSync('package.json', 'utf8')).devDependencies['@types/node']
}

function project(path) {
  mkdirSync(path)
  writeFileSync(join(path, 'package.json'), '{ "name": "user", "private": true, "type": "module" }')
}

async function step(name, run) {
  const start = performance.now()
  await run()
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
}

function run(command, args, cwd = resolve('.')) {
  // Nothing of this user's own node is read or written.
  const env = {
    ...process.env,
    HOME: folder,
    PILOT_HOME: '',
    npm_config_cache: NPM_CACHE,
    NO_COLOR: '1',
    NO_UPDATE_NOTIFIER: '1',
  }
  try {
    return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  } catch (error) {
    throw new Error(`${[command, ...args].join(' ')} failed:\n${error.stdout}`)
  }
}

function sizeOf(path) {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return files.reduce(
    (sum, { parentPath, path, name }) => sum + statSync(join(parentPath ?? path, name)).size,
    0,
  )
}

function kB(size) {
  return `${(size / 1000).toFixed(0)} kB`
}

function expect(text, output) {
  if (!output.includes(text)) throw new Error(`expected ${JSON.stringify(text)} in: ${output}`)
}

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { LIMITS } from '#lib/limits.js'
import { importsOf, sourceFiles, withoutComments } from '../helpers/sources.js'

/** What each folder may import of the others. `base` is the files of src itself, but for index.ts. */
const ALLOWED: Record<string, string[]> = {
  base: [],
  async: ['base'],
  disk: ['base', 'async'],
  socket: ['base', 'async'],
  wire: ['base'],
  archive: ['base'],
  pilot: ['base', 'async'],
  mailbox: ['base', 'async', 'disk', 'archive'],
  plugin: ['base', 'async', 'pilot'],
  service: ['base', 'async', 'disk', 'wire', 'pilot', 'mailbox', 'plugin'],
  client: ['base', 'async', 'disk', 'wire', 'archive', 'pilot', 'mailbox'],
  embedded: ['base', 'async', 'socket', 'pilot'],
  outbox: ['base', 'async', 'disk', 'socket', 'wire', 'pilot', 'client'],
  index: ['base', 'async', 'wire', 'pilot', 'mailbox', 'plugin', 'client', 'service', 'embedded', 'outbox'],
  cli: [
    'base',
    'async',
    'disk',
    'wire',
    'pilot',
    'mailbox',
    'plugin',
    'client',
    'service',
    'embedded',
    'outbox',
    'index',
  ],
}

const BASE_FILES = ['max-frame-size.ts', 'bytes.ts', 'clock.ts', 'errors.ts', 'limits.ts', 'logger.ts']

/** The only places outside the CLI that read the environment: the variables that the protocol names. */
const ENVIRONMENT: Record<string, string[]> = {
  PILOT_SOCKET: ['src/pilot/socket-path.ts'],
  XDG_RUNTIME_DIR: ['src/pilot/socket-path.ts', 'src/embedded/'],
  PILOT_DATAEXCHANGE_MAX_FRAME: ['src/max-frame-size.ts'],
}

const sources = sourceFiles('src').map(path => {
  const code = withoutComments(readFileSync(path, 'utf8'))
  return { path, folder: folderOf(path), code, imports: importsOf(code) }
})
const library = sources.filter(({ folder }) => folder !== 'cli')

test('the scan finds imports in all their forms, and none in comments', () => {
  const source = `import a from './a.ts'\nimport {\n  b,\n  type B,\n} from "./b.ts"\nexport * from './c.ts'
    export { d } from 'node:d'\nimport './e.ts'\n// import x from './x.ts'\n/* import y from './y.ts' */
    const f = await import('./f.ts')\nexport const g = 'from no import'\nconst h = "// './z.ts'"`
  assert.deepEqual(importsOf(source), ['./a.ts', './b.ts', './c.ts', 'node:d', './e.ts', './f.ts'])
})

test('every source lies in a folder that the rules know', () => {
  for (const { path, folder } of sources) assert.ok(folder in ALLOWED, `${path} is in none`)
})

for (const { path, folder, imports } of sources) {
  test(`${path} imports only what ${folder} may`, () => {
    for (const name of imports.filter(name => name.startsWith('.'))) {
      const target = folderOf(join(dirname(path), name))
      assert.ok(target === folder || ALLOWED[folder]?.includes(target), `imports ${name}`)
    }
  })
}

test('the library imports its own files and Node’s modules, nothing else', () => {
  for (const { path, imports } of library) {
    for (const name of imports) assert.match(name, /^(\.\.?\/|node:|#service$)/, `${path} imports ${name}`)
  }
})

test('only the index imports by a package condition', () => {
  const users = library.filter(({ imports }) => imports.includes('#service')).map(({ path }) => path)
  assert.ok(
    users.every(path => path === 'src/index.ts'),
    users.join(),
  )
})

test('only the CLI prints, reads arguments or ends the process', () => {
  // The signal 0 ends nothing: it asks whether a process is alive.
  const words =
    /\bconsole\.|\bprocess\s*\.\s*(stdout|stderr|stdin|argv|exit|exitCode|on|once|kill(?!\(\w+, 0\)))\b|'(node:)?readline'/
  assert.match('process.kill(pid, 9)', words)
  for (const { path, code } of library) assert.doesNotMatch(code, words, path)
})

test('only the CLI reads the environment, but for the variables that the protocol names', () => {
  for (const { path, code } of library) {
    const uses =
      code.match(/process\s*\.\s*env|process\s*\[|\benv\b[^;]*}\s*=\s*process\b|'(node:)?process'/g) ?? []
    if (uses.length === 0) continue
    const allowed = Object.keys(ENVIRONMENT).filter(name =>
      ENVIRONMENT[name]?.some(place => path.startsWith(place)),
    )
    assert.ok(allowed.length > 0, `${path} reads the environment`)
    const named = [...code.matchAll(/\benv\s*(?:\.\s*|\[\s*['"])([A-Z_]+)/g)].map(([, name]) => name ?? '')
    for (const name of named) assert.ok(allowed.includes(name), `${path} reads ${name}`)
  }
})

test('every limit is used', () => {
  const users = sources.filter(({ path }) => path !== 'src/limits.ts')
  const limits = sources.find(({ path }) => path === 'src/limits.ts')
  const unused = Object.keys(LIMITS).filter(name => {
    const use = new RegExp(`\\bLIMITS\\.${name}\\b`)
    return !users.some(({ code }) => use.test(code)) && !use.test(limits?.code ?? '')
  })
  assert.deepEqual(unused, [])
})

function folderOf(path: string): string {
  const [, first = '', ...rest] = path.split('/')
  if (rest.length > 0) return first
  if (first === 'index.ts') return 'index'
  return BASE_FILES.includes(first) ? 'base' : first
}

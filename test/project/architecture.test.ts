import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { FIXED_LIMITS, LIMITS } from '#lib/limits.js'
import { importsOf, sourceFiles, withoutComments } from '../helpers/sources.js'

const LIBRARY = 'packages/dataexchange/src/'
const COMMAND = 'packages/pilot-dx/src/'

/** The folders of the library that each of its folders may import. `base` is the files of `src` itself but index.ts. */
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
}

/** The only places of the library that read the environment: the variables that the protocol names. */
const ENVIRONMENT: Record<string, string[]> = {
  PILOT_HOME: ['home.ts'],
  PILOT_SOCKET: ['pilot/socket-path.ts'],
  XDG_RUNTIME_DIR: ['pilot/socket-path.ts', 'embedded/'],
  PILOT_DATAEXCHANGE_MAX_FRAME: ['max-frame-size.ts'],
}

/** Most files of one folder. */
const MOST_FILES = 18

/** Most lines of one file. */
const MOST_LINES = 300

/** Files that may be longer, each with its reason. */
const LONG_FILES: Record<string, string> = {
  'packages/dataexchange/src/error-codes.ts': 'the table of error codes',
  'packages/dataexchange/src/client/client.ts': 'still to be split: frame-writer.ts',
  'packages/dataexchange/src/embedded/client-session.ts': 'still to be split',
}

const library = sourcesOf(LIBRARY)
const command = sourcesOf(COMMAND)
const sources = [...library, ...command]

test('the scan finds imports in all their forms, and none in comments', () => {
  const source = `import a from './a.ts'\nimport {\n  b,\n  type B,\n} from "./b.ts"\nexport * from './c.ts'
    export { d } from 'node:d'\nimport './e.ts'\n// import x from '../unit/x.ts'\n/* import y from '../unit/y.ts' */
    const f = await import('./f.ts')\nexport const g = 'from no import'\nconst h = "// './z.ts'"`
  assert.deepEqual(importsOf(source), ['./a.ts', './b.ts', './c.ts', 'node:d', './e.ts', './f.ts'])
})

test('every folder of the library has a rule', () => {
  for (const { path, folder } of library) assert.ok(folder in ALLOWED, `no rule for ${path}`)
})

for (const { path, folder, imports } of library) {
  test(`${path} imports only what ${folder} may`, () => {
    for (const target of relativeImports(path, imports)) {
      const to = folderOf(target.slice(LIBRARY.length))
      assert.ok(target.startsWith(LIBRARY) && (to === folder || ALLOWED[folder]?.includes(to)), target)
    }
  })
}

test('the library imports its own files and Node’s modules, nothing else', () => {
  for (const { path, imports } of library) {
    for (const name of imports) assert.match(name, /^(\.\.?\/|node:|#service$)/, `${path} imports ${name}`)
  }
})

test('the library has no dependency', () => {
  const { dependencies, peerDependencies, optionalDependencies } = packageOf('packages/dataexchange')
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined])
})

test('the command imports its own files, its dependencies and the library’s public entries', () => {
  const { dependencies = {} } = packageOf('packages/pilot-dx')
  for (const { path, imports } of command) {
    for (const target of relativeImports(path, imports))
      assert.ok(target.startsWith(COMMAND), `${path}: ${target}`)
    for (const name of imports.filter(name => !/^(\.|node:)/.test(name))) {
      const [first = '', second] = name.split('/')
      const dependency = first.startsWith('@') ? `${first}/${second}` : first
      assert.ok(dependency in dependencies, `${path} imports ${name}`)
    }
  }
})

test('a verb of the command imports no other verb', () => {
  for (const { path, folder, imports } of command.filter(({ folder }) => folder !== 'base')) {
    for (const target of relativeImports(path, imports)) {
      const to = folderOf(target.slice(COMMAND.length))
      assert.ok([folder, 'shared', 'base'].includes(to), `${path} imports ${target}`)
    }
  }
})

test('no circle of imports, types included', () => {
  const graph = new Map(sources.map(({ path, imports }) => [path, relativeImports(path, imports)]))
  assert.deepEqual(circleIn(graph), undefined)
  const planted = new Map([...graph, ['a.ts', ['b.ts']], ['b.ts', ['c.ts']], ['c.ts', ['a.ts']]])
  assert.deepEqual(circleIn(planted), ['a.ts', 'b.ts', 'c.ts', 'a.ts'])
})

test(`no folder holds more than ${MOST_FILES} files`, () => {
  const counts = new Map<string, number>()
  for (const { path } of sources) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1)
  for (const [folder, count] of counts) assert.ok(count <= MOST_FILES, `${folder} holds ${count}`)
})

test(`no file has more than ${MOST_LINES} lines, but for tables`, () => {
  for (const { path } of sources) {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n').length
    assert.ok(lines <= MOST_LINES || path in LONG_FILES, `${path} has ${lines} lines`)
  }
})

test('only the index imports by a package condition', () => {
  const users = library.filter(({ imports }) => imports.includes('#service')).map(({ path }) => path)
  assert.ok(
    users.every(path => path === `${LIBRARY}index.ts`),
    users.join(),
  )
})

test('only the command prints, reads arguments or ends the process', () => {
  // The signal 0 ends nothing: it asks whether a process is alive.
  const words =
    /\bconsole\.|\bprocess\s*\.\s*(stdout|stderr|stdin|argv|exit|exitCode|on|once|kill(?!\(\w+, 0\)))\b|'(node:)?readline'/
  assert.match('process.kill(pid, 9)', words)
  for (const { path, code } of library) {
    // Its default prints the errors that an application's own hooks throw: nobody would see them otherwise.
    const checked = path === `${LIBRARY}logger.ts` ? code.replace('console.warn', '') : code
    assert.doesNotMatch(checked, words, path)
  }
})

test('only the command reads the environment, but for the variables that the protocol names', () => {
  for (const { path, code } of library) {
    const uses =
      code.match(/process\s*\.\s*env|process\s*\[|\benv\b[^;]*}\s*=\s*process\b|'(node:)?process'/g) ?? []
    if (uses.length === 0) continue
    const allowed = Object.keys(ENVIRONMENT).filter(name =>
      ENVIRONMENT[name]?.some(place => path.startsWith(LIBRARY + place)),
    )
    assert.ok(allowed.length > 0, `${path} reads the environment`)
    const named = [...code.matchAll(/\benv\s*(?:\.\s*|\[\s*['"])([A-Z_]+)/g)].map(([, name]) => name ?? '')
    for (const name of named) assert.ok(allowed.includes(name), `${path} reads ${name}`)
  }
})

test('every limit is used', () => {
  const users = sources.filter(({ path }) => path !== `${LIBRARY}limits.ts`)
  const limits = library.find(({ path }) => path === `${LIBRARY}limits.ts`)
  const unused = Object.keys({ ...LIMITS, ...FIXED_LIMITS }).filter(name => {
    const use = new RegExp(`LIMITS\\.${name}\\b`)
    return !users.some(({ code }) => use.test(code)) && !use.test(limits?.code ?? '')
  })
  assert.deepEqual(unused, [])
})

interface Source {
  path: string
  folder: string
  code: string
  imports: string[]
}

function sourcesOf(root: string): Source[] {
  return sourceFiles(root).map(path => {
    const code = withoutComments(readFileSync(path, 'utf8'))
    return { path, folder: folderOf(path.slice(root.length)), code, imports: importsOf(code) }
  })
}

/** The first folder of `path`; `base` for a file beside the folders, `index` for index.ts. */
function folderOf(path: string): string {
  const [first = '', ...rest] = path.split('/')
  if (rest.length > 0) return first
  return first === 'index.ts' ? 'index' : 'base'
}

function relativeImports(path: string, imports: readonly string[]): string[] {
  return imports.filter(name => name.startsWith('.')).map(name => join(dirname(path), name))
}

interface Dependencies {
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

function packageOf(folder: string): Dependencies {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The first circle in `graph`, from a file back to itself. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const target of graph.get(path) ?? []) {
      const circle = visit(target, [...way, path])
      if (circle) return circle
    }
    done.add(path)
    return undefined
  }
  for (const path of graph.keys()) {
    const circle = visit(path, [])
    if (circle) return circle
  }
  return undefined
}

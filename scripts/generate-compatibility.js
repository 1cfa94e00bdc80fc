// Writes the matrix of docs/compatibility.md, between its markers, from what `npm run record:interop` has kept: the
// results of the interop tests by version, and the recordings that every run of the tests plays again.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROWS } from './compatibility-rows.js'
import { fillPage, table } from './pages.js'

const PAGE = 'docs/compatibility.md'
const RECORDINGS = join('test', 'interop', 'recordings')
const results = JSON.parse(readFileSync(join('test', 'interop', 'results.json'), 'utf8'))
const [newest, ...older] = Object.keys(results).sort(byVersion)
const recordings = new Map(
  readdirSync(join(RECORDINGS, newest))
    .map(read)
    .map(({ test, name }) => [test, name]),
)
const tests = results[newest].rows
const rows = ROWS.map(row => ({ ...row, tests: row.tests.flatMap(named) }))
refuseForgotten()

const BLOCKS = { run: runText, matrix: matrixText, tests: testsText }
fillPage(PAGE, 'results', BLOCKS)

function runText() {
  const { command, node, machine, rows } = results[newest]
  const programs = Object.entries(read(readdirSync(join(RECORDINGS, newest))[0]).versions)
  const told = programs.map(([name, { version, sha256 }]) => `| \`${name}\` | ${version} | \`${sha256}\` |`)
  return [
    `\`${command}\`, last run ${latest(rows)} with Node ${node} on ${machine}: ${count(rows, 'passes')} tests passed, ${count(rows, 'fails')} failed, ${count(rows, 'skipped')} were not asked.`,
    ...older.map(version => {
      const run = results[version].rows
      return `With ${version} ${latest(run)}: ${count(run, 'passes')} passed, ${count(run, 'fails')} failed, ${count(run, 'skipped')} were not asked.`
    }),
    '',
    '| program | version | SHA-256 |',
    '| --- | --- | --- |',
    ...told,
  ].join('\n')
}

function matrixText() {
  return table(
    ['what', newest, 'replayed in CI', ...older],
    rows.map(({ what, tests, notes = {} }) => {
      const replayed = tests.filter(({ name }) => recordings.has(name)).length
      const cell = version => [stateOf(tests, version), notes[version]].filter(Boolean).join('; ')
      const all = replayed === tests.length ? 'yes' : `${replayed} of ${tests.length}`
      return [what, cell(newest), replayed === 0 ? 'no' : all, ...older.map(cell)]
    }),
  )
}

function testsText() {
  return table(
    ['test', ...[newest, ...older], 'recording'],
    tests.map(test => [
      `${test.file}: ${test.name}`,
      ...[newest, ...older].map(version => stateOf([test], version)),
      recordings.has(test.name) ? `\`${recordings.get(test.name)}\`` : '',
    ]),
  )
}

/** The outcome of these tests with a version, in a word or two. */
function stateOf(wanted, version) {
  const found = wanted.map(({ file, name }) =>
    results[version].rows.find(row => row.file === file && row.name === name),
  )
  const states = found.map(row => row?.status ?? 'skipped')
  if (states.includes('fails')) return `fails (${count(found, 'fails')} of ${found.length})`
  const asked = states.filter(state => state === 'passes').length
  if (asked === 0) return 'not asked'
  return asked === states.length ? 'passes' : `passes (${asked} of ${states.length} asked)`
}

/** The tests whose file and name begin so. */
function named(beginning) {
  const found = tests.filter(({ file, name }) => `${file}: ${name}`.startsWith(beginning))
  if (found.length === 0) throw new Error(`no test begins with ${beginning}`)
  return found
}

function refuseForgotten() {
  const shown = new Set(rows.flatMap(({ tests }) => tests))
  const forgotten = tests.filter(test => !shown.has(test)).map(({ file, name }) => `${file}: ${name}`)
  if (forgotten.length > 0) throw new Error(`in no row of the matrix: ${forgotten.join(', ')}`)
}

function read(name) {
  return JSON.parse(readFileSync(join(RECORDINGS, newest, name), 'utf8'))
}

function count(rows, status) {
  return rows.filter(row => row?.status === status).length
}

function latest(rows) {
  return rows
    .map(({ date }) => date)
    .sort()
    .at(-1)
}

/** The newest first. */
function byVersion(a, b) {
  return b.localeCompare(a, 'en', { numeric: true })
}

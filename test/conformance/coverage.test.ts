import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sourceFiles } from '../helpers/sources.js'
import { REQUIREMENTS } from './requirements.js'

const known = new Set(REQUIREMENTS.map(({ id }) => id))
const cited = new Map<string, string>()
for (const path of testSources()) {
  for (const id of idsCitedIn(readFileSync(path, 'utf8'))) cited.set(id, path)
}

test('every requirement has an id of its own', () => {
  assert.equal(known.size, REQUIREMENTS.length)
})

test('ids are read from the names of tests, and from nowhere else', () => {
  const source = `test('[a.one] [a.two-b] name', { timeout: 1 }, () => x[a.three])
    await t.test(\n\`[a.four] \${name}\`, run)
    it('[a.six] in a group', run)
    emit('[a.seven] no test')
    test.skip('[a.five] left out', run)
    test('without an id')`
  assert.deepEqual(idsCitedIn(source), ['a.one', 'a.two-b', 'a.four', 'a.six'])
})

test('every id that a test cites is a requirement', () => {
  const unknown = [...cited].filter(([id]) => !known.has(id)).map(([id, path]) => `${id} in ${path}`)
  assert.equal(unknown.join('\n'), '')
})

test('every requirement is cited by a test', () => {
  const uncited = REQUIREMENTS.filter(({ id }) => !cited.has(id))
  assert.equal(uncited.map(({ id, section, text }) => `${id} (section ${section}): ${text}`).join('\n'), '')
})

test('every clause that the sources cite is a requirement', () => {
  const sections = new Set([...known].map(id => id.split('.')[0]))
  const unknown = ['packages/dataexchange/src', 'packages/pilot-dx/src'].flatMap(sourceFiles).flatMap(path =>
    clausesIn(readFileSync(path, 'utf8'))
      .filter(id => sections.has(id.split('.')[0]) && !known.has(id))
      .map(id => `${id} in ${path}`),
  )
  assert.deepEqual(unknown, [])
})

/** The clauses in backticks and brackets, as comments cite them: `[frame.cap-early]`. */
function clausesIn(source: string): string[] {
  return [...source.matchAll(/\[([a-z]+\.[a-z0-9-]+)\]/g)].map(([, id]) => id ?? '')
}

function testSources(): string[] {
  return ['test', 'packages/dataexchange/test', 'packages/pilot-dx/test']
    .flatMap(folder =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(path => join(folder, path)),
    )
    .filter(path => path.endsWith('.test.ts') && !path.endsWith('coverage.test.ts'))
}

/** The ids at the start of the names of the tests in `source`; a test that is skipped outright cites nothing. */
function idsCitedIn(source: string): string[] {
  return [...source.matchAll(/\b(?:test|it)\(\s*['"`]((?:\[[a-z0-9.-]+\] )+)/g)].flatMap(([, ids]) =>
    [...(ids ?? '').matchAll(/\[([^\]]+)\]/g)].map(([, id]) => id ?? ''),
  )
}

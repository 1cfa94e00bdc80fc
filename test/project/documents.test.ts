import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

/** The folders that paths in the documents start from. */
const ROOTS = [
  '',
  'docs',
  'packages',
  'packages/dataexchange',
  'packages/dataexchange/src',
  'packages/pilot-dx/src',
]

/** Files of the repository, such as `client/client.ts`; a name without a folder may depend on its sentence. */
const PATH = /`([\w-]+(?:\/[\w.-]+)+\.(?:ts|js|json|md|sh))`/g
const LINK = /\]\((?!\w+:)([^)#]+)/g

for (const page of [
  'README.md',
  'AGENTS.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'VERSIONING.md',
  'docs/architecture.md',
  'docs/compatibility.md',
  'docs/guarantees.md',
  'docs/limits.md',
  'docs/mailbox-format.md',
  'docs/performance.md',
]) {
  test(`the files that ${page} names exist`, () => {
    const text = readFileSync(page, 'utf8')
    const missing = [...text.matchAll(PATH), ...text.matchAll(LINK)]
      .map(([, path = '']) => path)
      .filter(path => !path.startsWith('build/') && !ROOTS.some(root => existsSync(join(root, path))))
    assert.deepEqual(missing, [])
  })
}

test('the limits that docs/guarantees.md names are in docs/limits.md', () => {
  const limits = new Set(
    readFileSync('docs/limits.md', 'utf8')
      .match(/`[^`\n]+`/g)
      ?.flatMap(code => code.match(/\w+/g) ?? []),
  )
  const [, table = ''] = /^\| limit \| what a peer sees at it \|\n(.*?)\n\n/ms.exec(
    readFileSync('docs/guarantees.md', 'utf8'),
  ) ?? ['']
  const names = [...table.matchAll(/^\|(.*?)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  )
  assert.ok(names.length > 30, 'the table has been found')
  const hooks = ['allow', 'deny', 'accept']
  const unknown = names.filter(name => !hooks.includes(name) && !limits.has(name))
  assert.deepEqual(unknown, [])
})

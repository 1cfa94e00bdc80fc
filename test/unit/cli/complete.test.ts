import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complete } from '#lib/cli/commands/complete.js'
import { createProgram } from '#lib/cli/program.js'

/** The candidates without what they are, and whether file names fit. */
function candidates(...words: string[]): [string[], boolean] {
  const lines = complete(createProgram(), words).trimEnd().split('\n')
  const directive = lines.pop()
  return [lines.map(line => line.split('\t')[0] ?? ''), directive === ':0']
}

test('verbs and their verbs', () => {
  assert.deepEqual(candidates('in'), [['inbox'], false])
  assert.deepEqual(candidates('inbox', ''), [['read'], false])
  assert.deepEqual(candidates('compl'), [['completion'], false], 'what is hidden stays hidden')
  assert.deepEqual(candidates('--json', 'stat'), [['status'], false])
})

test('flags of the verb, and the global ones', () => {
  assert.deepEqual(candidates('send-file', '--t'), [['--timeout'], false])
  assert.deepEqual(candidates('send-file', '--so'), [['--socket'], false])
  assert.deepEqual(candidates('inbox', 'read', '--'), [
    ['--dir', '--help', '--socket', '--home', '--json', '--quiet'],
    false,
  ])
})

test('values where they are known, files where they fit', () => {
  assert.deepEqual(candidates('serve', '--durability', ''), [['full', 'os'], false])
  assert.deepEqual(candidates('serve', '--durability=o'), [['os'], false])
  assert.deepEqual(candidates('serve', '--inbox', ''), [[], true])
  assert.deepEqual(candidates('send-message', '--count', ''), [[], false])
  assert.deepEqual(candidates('send-message', 'x', '--data-file=a'), [[], true])
  assert.deepEqual(candidates('send-file', ''), [[], false])
  assert.deepEqual(candidates('send-file', 'x', ''), [[], true])
  assert.deepEqual(candidates('send-file', '--', 'x', '-'), [[], true])
  assert.deepEqual(candidates('completion', 'z'), [['zsh'], false])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complete } from '#cli/completion/complete.js'
import { createProgram } from '#cli/program.js'

/** The candidates without what they are, and whether file names fit. */
async function candidates(...words: string[]): Promise<[string[], boolean]> {
  const lines = complete(await createProgram(words), words)
    .trimEnd()
    .split('\n')
  const directive = lines.pop()
  return [lines.map(line => line.split('\t')[0] ?? ''), directive === ':0']
}

test('verbs and their verbs', async () => {
  assert.deepEqual(await candidates('in'), [['inbox'], false])
  assert.deepEqual(await candidates('inbox', ''), [['read'], false])
  assert.deepEqual(await candidates('compl'), [['completion'], false], 'what is hidden stays hidden')
  assert.deepEqual(await candidates('--json', 'stat'), [['status'], false])
})

test('flags of the verb, and the global ones', async () => {
  assert.deepEqual(await candidates('send-file', '--t'), [['--timeout'], false])
  assert.deepEqual(await candidates('send-file', '--so'), [['--socket'], false])
  assert.deepEqual(await candidates('inbox', 'read', '--'), [
    ['--dir', '--help', '--socket', '--home', '--json', '--quiet'],
    false,
  ])
})

test('values where they are known, files where they fit', async () => {
  assert.deepEqual(await candidates('serve', '--durability', ''), [['full', 'os'], false])
  assert.deepEqual(await candidates('serve', '--durability=o'), [['os'], false])
  assert.deepEqual(await candidates('serve', '--inbox', ''), [[], true])
  assert.deepEqual(await candidates('send-message', '--count', ''), [[], false])
  assert.deepEqual(await candidates('send-message', 'x', '--data-file=a'), [[], true])
  assert.deepEqual(await candidates('send-file', ''), [[], false])
  assert.deepEqual(await candidates('send-file', 'x', ''), [[], true])
  assert.deepEqual(await candidates('send-file', '--', 'x', '-'), [[], true])
  assert.deepEqual(await candidates('completion', 'z'), [['zsh'], false])
})

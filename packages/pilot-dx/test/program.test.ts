import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Help } from '#cli/commander.js'
import { createProgram } from '#cli/program.js'
import { VERBS } from '#cli/verbs.js'

test('what the help tells of a verb is what the verb takes', async () => {
  const program = await createProgram(VERBS.map(({ name }) => name))
  assert.deepEqual(
    VERBS.map(({ name, usage }) => `${name} ${usage}`.trimEnd()),
    program.commands.map(verb => new Help().subcommandTerm(verb)),
  )
})

test('verbs that the command line does not name are not loaded, and look the same in the help', async () => {
  const [none, all] = [await createProgram(['--help']), await createProgram(VERBS.map(({ name }) => name))]
  assert.ok(none.commands.every(verb => verb.options.length === 0 && verb.description() === ''))
  assert.equal(none.helpInformation(), all.helpInformation())
})

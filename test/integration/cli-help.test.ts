import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { MAIN, Sandbox } from '../helpers/cli.js'

const run = promisify(execFile)
const box = new Sandbox({ after })

const VERBS = [
  'serve',
  'send-message',
  'send-file',
  'inbox',
  'inbox read',
  'received',
  'trace',
  'status',
  'completion',
]

test('every verb has help with examples and the global options', async () => {
  await Promise.all(
    VERBS.map(async verb => {
      const { code, stdout, stderr } = await box.run([...verb.split(' '), '--help'])
      assert.deepEqual([code, stderr], [0, ''], verb)
      assert.match(stdout, /\nExamples:\n {2}\S/, verb)
      assert.match(stdout, /\nGlobal Options:\n/, verb)
    }),
  )
})

test('the general help names every verb and the exit codes', async () => {
  const { code, stdout } = await box.run(['--help'])
  assert.equal(code, 0)
  for (const verb of VERBS) if (!verb.includes(' ')) assert.ok(stdout.includes(`\n  ${verb} `), verb)
  assert.match(stdout, /Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 no daemon, 4 .*, 5 timed out/)
  assert.match(stdout, /\nExamples:\n/)
  assert.doesNotMatch(stdout, /\n {2}complete /)
})

test('trace says that its probes are stored', async () => {
  assert.match((await box.run(['trace', '--help'])).stdout, /stored\s+in the peer’s inbox/)
})

test('--version prints the version', async () => {
  assert.match((await box.run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

test('help loads none of what only running needs', async () => {
  // The coverage that Node writes names every module that was loaded.
  const coverage = join(box.dir, 'coverage')
  await run(process.execPath, [MAIN, '--help'], { env: { ...box.env, NODE_V8_COVERAGE: coverage } })
  const [report = ''] = readdirSync(coverage)
  const { result } = JSON.parse(readFileSync(join(coverage, report), 'utf8')) as { result: { url: string }[] }
  const loaded = result.map(({ url }) => url).join('\n')
  assert.match(loaded, /node_modules\/commander/, 'what is loaded is seen')
  assert.doesNotMatch(
    loaded,
    /node_modules\/(pino|log-update|pretty-bytes)|dist\/(pilot|exchange|embedded)\//,
  )
})

test('completion prints a script for every shell, and knows no other', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await box.run(['completion', shell])
    assert.equal(code, 0)
    assert.match(stdout, /pilot-dx complete --/)
  }
  assert.equal((await box.fails(['completion', 'tcsh'])).exit, 2)
})

test('the bash script completes verbs, flags, values and files', async () => {
  const bin = join(box.dir, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'pilot-dx'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`)
  chmodSync(join(bin, 'pilot-dx'), 0o755)
  const script = join(box.dir, 'completion.bash')
  writeFileSync(script, (await box.run(['completion', 'bash'])).stdout)
  await run('bash', ['-n', script])
  writeFileSync(join(box.dir, 'a file.txt'), '')

  const env = { ...box.env, PATH: `${bin}:${process.env.PATH}` }
  const complete = async (...words: string[]) => {
    const source = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pilot_dx; printf '%s\\n' "\${COMPREPLY[@]}"`
    const args = ['-c', source, script, 'pilot-dx', ...words]
    const { stdout } = await run('bash', args, { env, cwd: box.dir })
    return stdout.trimEnd().split('\n')
  }
  assert.deepEqual(await complete('se'), ['serve', 'send-message', 'send-file'])
  assert.deepEqual(await complete('send-message', '--ti'), ['--timeout'])
  assert.deepEqual(await complete('send-message', '--type', ''), ['text', 'json', 'binary'])
  assert.deepEqual(await complete('send-message', '--type', '=', 'b'), ['binary'])
  assert.deepEqual(await complete('send-file', '0', ':', '0000.0000.0001', 'a f'), ['a file.txt'])
  assert.deepEqual(await complete('inbox', '--js'), ['--json'])
  assert.deepEqual(await complete('send-message', 'alice', '$(touch owned)', '--j'), ['--json'])
  assert.deepEqual(await complete('status', 'x'), [''])
})
